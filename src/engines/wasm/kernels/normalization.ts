/** Softmax and its logarithm, a row per unit. */
import type { normalizationPrimitives } from '../../../ops/normalization.ts'
import type { Code } from '../assembler.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import { defineKernel } from '../kernel.ts'
import { acrossLanes, DoubleSum, maskLanes, overRun, storeFloats } from '../vectors.ts'
import type { Kernels, Lower } from './context.ts'

const kernel = defineKernel<{ readonly size: number; readonly of: 'softmax' | 'logSoftmax' }>(
  'softmax',
  ({ size, of }) =>
    (f, [x, y], begin, end) => {
      const unit = f.local('i32')
      const from = f.local('i32')
      const to = f.local('i32')
      const [most, total, value] = [f.local('v128'), f.local('v128'), f.local('v128')]
      const sum = new DoubleSum(f)
      const read = (at: Code, offset: number): Code => v128.load(i32.add(from.get, at), offset)
      const power = (at: Code, offset: number): Code => [f32x4.sub(read(at, offset), most.get), { call: 'exp' }]
      const made = (at: Code, offset: number): Code => v128.load(i32.add(to.get, at), offset)
      const write = (result: (at: Code, offset: number) => Code, then: (lanes: number) => Code = () => []): Code =>
        overRun(f, size, (at, offset, lanes) => [
          value.set(result(at, offset)),
          storeFloats(i32.add(to.get, at), value, lanes, offset),
          then(lanes),
        ])
      const add = (lanes: number): Code => sum.add(maskLanes(value.get, lanes, 0))
      const row = [
        most.set(f32x4.const(-Infinity)),
        overRun(f, size, (at, offset, lanes) =>
          most.set(f32x4.max(most.get, maskLanes(read(at, offset), lanes, -Infinity))),
        ),
        most.set(acrossLanes(f, most.get, f32x4.max)),
        sum.clear(),
        // powers are kept where the result goes: up to twice as fast as computing them again
        of === 'softmax'
          ? write(power, add)
          : overRun(f, size, (at, offset, lanes) => [value.set(power(at, offset)), add(lanes)]),
        total.set(sum.total()),
        of === 'softmax'
          ? write((at, offset) => f32x4.div(made(at, offset), total.get))
          : [
              total.set([total.get, { call: 'log' }]),
              write((at, offset) => f32x4.sub(f32x4.sub(read(at, offset), most.get), total.get)),
            ],
      ]
      return f.loop(unit, begin.get, end.get, 1, [
        from.set(i32.add(x.get, i32.mul(unit.get, size * 4))),
        to.set(i32.add(y.get, i32.mul(unit.get, size * 4))),
        row,
      ])
    },
)

const over =
  (of: 'softmax' | 'logSoftmax'): Lower<Record<never, never>> =>
  ({ inputs: [x], output }) => {
    const size = x.shape[x.shape.length - 1]
    const units = x.shape.reduce((n, d) => n * d, 1) / size
    return [kernel({ size, of }, { reads: [x.buffer], writes: [output.buffer], units, work: size * 16 })]
  }

const softmax = over('softmax')
const logSoftmax = over('logSoftmax')

export const normalizationKernels: Kernels<typeof normalizationPrimitives> = { softmax, logSoftmax }
