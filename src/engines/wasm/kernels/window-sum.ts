/** Sums over a window that slides along the last axis: a row is read once, and neighbours come by shuffles. */
import type { Value } from '../../../compile/step.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import type { Reach, windowSumPrimitives } from '../../../ops/window-sum.ts'
import type { Code } from '../assembler.ts'
import { render } from '../expression.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import { defineKernel } from '../kernel.ts'
import { FLOAT, maskLanes, storeFloats, VECTOR } from '../vectors.ts'
import type { Follows, Kernels, Lower, TailShape } from './context.ts'
import { followsOf, identity, renderTail, scratch, tailBuffers, tailShape } from './context.ts'
import { elementwiseStage } from './elementwise.ts'

interface WindowShape extends Reach {
  readonly width: number
  readonly head: Scalar
  /** How each input of the head follows what is summed. */
  readonly follows: readonly Follows[]
  readonly tail: TailShape | undefined
}

const kernel = defineKernel<WindowShape>(
  'windowSum',
  ({ width, before, after, head, follows, tail }) =>
    (f, pointers, begin, end) => {
      const sources = pointers.slice(0, follows.length)
      const extras = pointers.slice(follows.length, -1)
      const y = pointers[pointers.length - 1]
      const [unit, row, at] = [f.local('i32'), f.local('i32'), f.local('i32')]
      const result = f.local('v128')
      const vectors = Math.ceil(width / 4)
      const lanes = width - 4 * (vectors - 1)
      // vectors that a window touches, from the one where it stands
      const [low, high] = [Math.floor(-before / 4), Math.ceil(after / 4)]
      const held = Array.from({ length: high - low + 1 }, () => f.local('v128'))

      /** The head's vector at byte `place + offset` of a row. */
      const read = (place: Code, offset: number): Code => {
        const { code, results } = render(f, [head], (i) => {
          if (follows[i] === 'scalar') return v128.loadSplat(sources[i].get)
          const whole = follows[i] === 'whole' ? i32.add(sources[i].get, row.get) : sources[i].get
          return v128.load(i32.add(whole, place), offset)
        })
        return [code, results[0].get]
      }
      /** Vector `i` of the row; zeros beyond its ends. */
      const vector = (i: number): Code => {
        if (i < 0 || i >= vectors) return f32x4.const(0)
        const there = read(i32.const(0), i * VECTOR)
        return i === vectors - 1 ? maskLanes(there, lanes, 0) : there
      }
      const shifted = (by: number): Code => {
        const [whole, rest] = [Math.floor(by / 4), ((by % 4) + 4) % 4]
        const first = held[whole - low].get
        if (rest === 0) return first
        return v128.shuffle(first, held[whole - low + 1].get, [rest, rest + 1, rest + 2, rest + 3])
      }
      const offsets = Array.from({ length: before + after + 1 }, (_, i) => i - before)
      /** The sum at byte `place + offset` of the row, when `next` is the vector that comes in. */
      const turn = (next: Code, place: Code, offset: number, count: number): Code => {
        const inRow = i32.add(row.get, place)
        const made = renderTail(f, tail, result, extras, {
          place: inRow,
          column: place,
          offset: { place: offset, column: offset },
        })
        return [
          held.slice(0, -1).map((x, i) => x.set(held[i + 1].get)),
          held[held.length - 1].set(next),
          result.set(offsets.map(shifted).reduce((a, b) => f32x4.add(a, b))),
          made.code,
          storeFloats(i32.add(y.get, inRow), made.result, count, offset),
        ]
      }
      // where the vector that comes in is whole; the last ones are written out
      const whole = Math.max(0, vectors - 1 - high)
      return f.loop(unit, begin.get, end.get, 1, [
        row.set(i32.mul(unit.get, width * FLOAT)),
        held.slice(1).map((x, i) => x.set(vector(low + i))),
        whole > 0
          ? f.loop(at, i32.const(0), i32.const(whole * VECTOR), VECTOR, turn(read(at.get, high * VECTOR), at.get, 0, 4))
          : [],
        Array.from({ length: vectors - whole }, (_, i) => whole + i).map((i) =>
          turn(vector(i + high), i32.const(0), i * VECTOR, i === vectors - 1 ? lanes : 4),
        ),
      ])
    },
)

const windowSum: Lower<Reach> = (step) => {
  const { inputs, output, attrs, head } = step
  const { shape } = output
  const width = shape[shape.length - 1]
  const isRead = ({ shape: own }: Value) =>
    followsOf(own, shape) !== 'column' || (sizeOf(own) === width && own[own.length - 1] === width)
  if (head && !inputs.every(isRead)) {
    const made = scratch(...shape)
    const first = elementwiseStage({ kind: 'elementwise', shape, inputs, expressions: [head.f], outputs: [made] })
    return [first, ...windowSum({ ...step, inputs: [made], head: undefined })]
  }
  const follows = inputs.map((x) => followsOf(x.shape, shape))
  return [
    kernel(
      { ...attrs, width, head: head?.f ?? identity, follows, tail: tailShape(step) },
      {
        reads: [...inputs.map((x) => x.buffer), ...tailBuffers(step)],
        writes: [output.buffer],
        units: sizeOf(shape) / width,
        work: width * (1 + (attrs.before + attrs.after) / 4),
      },
    ),
  ]
}

export const windowSumKernels: Kernels<typeof windowSumPrimitives> = { windowSum }
