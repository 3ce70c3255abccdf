/** Random numbers: Philox 4x32-10, four blocks at a time in the lanes of four vectors (see base/random.ts for the map). */
import { sizeOf } from '../../../graph/shape.ts'
import type { SamplingAttrs, samplingPrimitives } from '../../../ops/sampling.ts'
import type { Code } from '../assembler.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { f32x4, i32, i32x4, i64, i64x2, v128 } from '../instructions.ts'
import { defineKernel } from '../kernel.ts'
import type { Kernels, Lower } from './context.ts'

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57]
const WEYL = [0x9e3779b9, 0xbb67ae85]

/** High and low halves of the products of four lanes by a constant. */
function product(f: FunctionWriter, x: Local, multiplier: number): { code: Code; high: Code; low: Code } {
  const [first, second] = [f.local('v128'), f.local('v128')]
  const m = i32x4.const(multiplier)
  return {
    code: [first.set(i64x2.multiplyLow(x.get, m)), second.set(i64x2.multiplyHigh(x.get, m))],
    high: v128.shuffle(first.get, second.get, [1, 3, 5, 7]),
    low: v128.shuffle(first.get, second.get, [0, 2, 4, 6]),
  }
}

/** Ten rounds on counters x, in place. */
function rounds(f: FunctionWriter, [x0, x1, x2, x3]: readonly Local[], [k0, k1]: readonly Local[]): Code {
  const p0 = product(f, x0, MULTIPLIERS[0])
  const p1 = product(f, x2, MULTIPLIERS[1])
  const [next0, next2] = [f.local('v128'), f.local('v128')]
  return f.times(10, () => [
    p0.code,
    p1.code,
    next0.set(v128.xor(v128.xor(p1.high, x1.get), k0.get)),
    next2.set(v128.xor(v128.xor(p0.high, x3.get), k1.get)),
    x1.set(p1.low),
    x3.set(p0.low),
    x0.set(next0.get),
    x2.set(next2.get),
    k0.set(i32x4.add(k0.get, i32x4.const(WEYL[0]))),
    k1.set(i32x4.add(k1.get, i32x4.const(WEYL[1]))),
  ])
}

const uniform = (bits: Code): Code => f32x4.mul(f32x4.fromInt(i32x4.shiftRightUnsigned(bits, 8)), f32x4.const(2 ** -24))

/** sin(2 pi t), t in [0, 2). */
function sineOf(f: FunctionWriter, t: Code): Code {
  const [set, turn] = f.let('v128', t)
  const [setSmall, small] = f.let('v128', f32x4.sub(turn.get, f32x4.nearest(turn.get)))
  const sign = v128.and(small.get, i32x4.const(-0x80000000))
  const mirrored = f32x4.sub(v128.or(f32x4.const(0.5), sign), small.get)
  const folded = v128.select(f32x4.gt(f32x4.abs(small.get), f32x4.const(0.25)), mirrored, small.get)
  return [set, setSmall, folded, { call: 'sineOfTurn' }]
}

/** Box and Muller: radius from `a`, angle from `b`; both are replaced by normals. */
function normals(f: FunctionWriter, a: Local, b: Local): Code {
  const radius = f.local('v128')
  const angle = f.local('v128')
  const log: Code = [f32x4.add(uniform(a.get), f32x4.const(2 ** -24)), { call: 'log' }]
  return [
    radius.set(f32x4.sqrt(f32x4.mul(f32x4.const(-2), log))),
    angle.set(uniform(b.get)),
    a.set(f32x4.mul(radius.get, sineOf(f, f32x4.add(angle.get, f32x4.const(0.25))))),
    b.set(f32x4.mul(radius.get, sineOf(f, angle.get))),
  ]
}

interface SamplingShape {
  readonly kind: 'uniform' | 'normal'
  readonly total: number
  readonly rowSize: number
  readonly stream: number
}

/** A unit is four blocks: sixteen elements of the global batch, of which those that are ours are stored. */
const kernel = defineKernel<SamplingShape>(
  'random',
  ({ kind, total, rowSize, stream }) =>
    (f, [key, y], begin, end) => {
      const unit = f.local('i32')
      const low = f.local('i32')
      const skipped = f.local('i32') // elements of the first block that come before ours
      const first = f.local('i32')
      const x = Array.from({ length: 4 }, () => f.local('v128'))
      const k = Array.from({ length: 2 }, () => f.local('v128'))
      const lanes = Array.from({ length: 4 }, () => f.local('v128'))

      const base = i64.mul(i64.fromUnsigned(i32.load(key.get, 12)), i64.fromUnsigned(i32.const(rowSize)))
      const block = i64.add(i64.shiftRight(base, 2), i64.fromUnsigned(i32.mul(unit.get, 4)))
      const counters = [
        low.set(i64.toInt(block)),
        x[0].set(i32x4.add(i32x4.splat(low.get), i32x4.lanes([0, 1, 2, 3]))),
        // a lane below its start has wrapped: the mask is -1
        x[1].set(
          i32x4.sub(
            i32x4.splat(i64.toInt(i64.shiftRight(block, 32))),
            i32x4.lessUnsigned(x[0].get, i32x4.splat(low.get)),
          ),
        ),
        x[2].set(i32x4.splat(i32.load(key.get, 8))),
        x[3].set(i32x4.const(stream)),
        k[0].set(i32x4.splat(i32.load(key.get, 0))),
        k[1].set(i32x4.splat(i32.load(key.get, 4))),
      ]
      const values =
        kind === 'uniform'
          ? x.map((word) => word.set(uniform(word.get)))
          : [normals(f, x[0], x[1]), normals(f, x[2], x[3])]
      const pairs = Array.from({ length: 4 }, () => f.local('v128'))
      const [p0, p1, p2, p3] = pairs
      const inOrder = [
        p0.set(v128.shuffle(x[0].get, x[1].get, [0, 4, 1, 5])),
        p1.set(v128.shuffle(x[0].get, x[1].get, [2, 6, 3, 7])),
        p2.set(v128.shuffle(x[2].get, x[3].get, [0, 4, 1, 5])),
        p3.set(v128.shuffle(x[2].get, x[3].get, [2, 6, 3, 7])),
        lanes[0].set(v128.shuffle(p0.get, p2.get, [0, 1, 4, 5])),
        lanes[1].set(v128.shuffle(p0.get, p2.get, [2, 3, 6, 7])),
        lanes[2].set(v128.shuffle(p1.get, p3.get, [0, 1, 4, 5])),
        lanes[3].set(v128.shuffle(p1.get, p3.get, [2, 3, 6, 7])),
      ]
      const address = i32.add(y.get, i32.mul(first.get, 4))
      const isInside = i32.and(
        i32.greaterEqual(first.get, i32.const(0)),
        i32.less(i32.add(first.get, 15), i32.const(total)),
      )
      const whole = lanes.map((value, i) => v128.store(address, value.get, i * 16))
      const single = lanes.map((value, i) =>
        [0, 1, 2, 3].map((lane) =>
          f.if(
            i32.lessUnsigned(i32.add(first.get, i * 4 + lane), i32.const(total)),
            v128.store32Lane(i32.add(address, (i * 4 + lane) * 4), value.get, lane),
          ),
        ),
      )
      return [
        skipped.set(i32.and(i64.toInt(base), i32.const(3))),
        f.loop(unit, begin.get, end.get, 1, [
          counters,
          rounds(f, x, k),
          values,
          inOrder,
          first.set(i32.sub(i32.mul(unit.get, 16), skipped.get)),
          f.if(isInside, whole, single),
        ]),
      ]
    },
)

const sampled =
  (kind: 'uniform' | 'normal'): Lower<SamplingAttrs> =>
  ({ inputs: [key], output, attrs: { shape, stream } }) => {
    const total = sizeOf(shape)
    const rowSize = total / (shape[0] ?? 1)
    const units = Math.ceil((total + 3) / 16) // the first block may begin up to three elements early
    return [
      kernel({ kind, total, rowSize, stream }, { reads: [key.buffer], writes: [output.buffer], units, work: 200 }),
    ]
  }

const randomUniform = sampled('uniform')
const randomNormal = sampled('normal')

export const samplingKernels: Kernels<typeof samplingPrimitives> = { randomUniform, randomNormal }
