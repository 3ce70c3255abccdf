/** Reductions of the middle of [outer, run, inner]: fixed chunks by size, then the chunks in their order. */
import type { Value } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { AxisRun } from '../../../ops/broadcasting.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import { partsOf } from '../../../ops/scalar.ts'
import type { Code } from '../assembler.ts'
import { render } from '../expression.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { f32x4, i32, i32x4, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { acrossLanes, DoubleSum, overRun, storeFloats } from '../vectors.ts'
import type { Follows, Lower } from './context.ts'
import { followsOf, identity, scratch } from './context.ts'
import { elementwiseStage } from './elementwise.ts'

const FLOAT = 4

type By = 'sum' | 'max'
const rules = { sum: { start: 0, combine: f32x4.add }, max: { start: -Infinity, combine: f32x4.max } } as const

interface ReduceShape {
  readonly by: By
  readonly run: number
  readonly inner: number
  readonly chunk: number
  readonly head: Scalar
  /** How each input of the head follows what is reduced; `column`: one number for each of `inner`, or along the run if inner is 1. */
  readonly follows: readonly Follows[]
}

/** Rows of a chunk: enough to keep a thread busy. */
const CHUNK = { along: 8192, across: 512 }
/** Rows that are added to one another; then their sum is added to that of the rows before. */
const ROWS_AT_ONCE = 16
/** Vectors along a row that are added side by side, where the expression is short. */
const SIDE_BY_SIDE = 4
const SHORT = 32

/** The largest of vectors of floats. */
class Largest {
  readonly #f: FunctionWriter
  readonly #most: Local

  constructor(f: FunctionWriter) {
    this.#f = f
    this.#most = f.local('v128')
  }

  clear(): Code {
    return this.#most.set(f32x4.const(-Infinity))
  }

  add(vector: Code): Code {
    return this.#most.set(f32x4.max(this.#most.get, vector))
  }

  total(): Code {
    return acrossLanes(this.#f, this.#most.get, f32x4.max)
  }
}

const kernel = defineKernel<ReduceShape>(
  'reduce',
  ({ by, run, inner, chunk, head, follows }) =>
    (f, pointers, begin, end) => {
      const sources = pointers.slice(0, follows.length)
      const y = pointers[follows.length]
      const { start, combine } = rules[by]
      const chunks = Math.ceil(run / chunk)
      const unit = f.local('i32')
      const first = f.local('i32')
      const count = f.local('i32')
      const place = f.local('i32')
      const stop = f.local('i32')

      /** The head at byte `at` of what is reduced, in the column at byte `column`. */
      const value = (at: Code, column: Code, offset: number): Code => {
        const { code, results } = render(f, [head], (i) =>
          follows[i] === 'scalar'
            ? v128.loadSplat(sources[i].get)
            : v128.load(i32.add(sources[i].get, follows[i] === 'column' ? column : at), offset),
        )
        return [code, results[0].get]
      }
      const setUp = [
        first.set(i32.mul(i32.rem(unit.get, chunks), chunk)),
        count.set(i32.sub(i32.const(run), first.get)),
        count.set(i32.min(count.get, i32.const(chunk))),
        place.set(i32.mul(i32.add(i32.mul(i32.div(unit.get, chunks), run), first.get), inner * FLOAT)),
      ]
      if (inner === 1) {
        const width = partsOf([head]) <= SHORT && Math.min(run, chunk) >= 8 * SIDE_BY_SIDE ? SIDE_BY_SIDE : 1
        const total: Pick<DoubleSum, 'clear' | 'add' | 'total'> =
          by === 'sum' ? new DoubleSum(f, width) : new Largest(f)
        const last = f.local('v128')
        const row = f.local('i32')
        const at = (offset: number): Code => value(place.get, i32.sub(place.get, row.get), offset)
        // lanes beyond the end count as the start value
        const masked = (): Code => {
          const lanes = i32x4.splat(i32.sub(stop.get, place.get)) // in bytes
          const [set, beyond] = f.let('v128', i32x4.less(i32x4.lanes([0, 4, 8, 12]), lanes))
          return [last.set(at(0)), set, total.add(v128.select(beyond.get, last.get, f32x4.const(start)))]
        }
        const whole = f.local('i32') // where the last whole vector ends
        const wholes = f.local('i32') // where the last whole group of `width` of them ends
        const result = f.local('v128')
        return f.loop(unit, begin.get, end.get, 1, [
          setUp,
          row.set(i32.sub(place.get, i32.mul(first.get, FLOAT))),
          total.clear(),
          stop.set(i32.add(place.get, i32.mul(count.get, FLOAT))),
          wholes.set(i32.add(place.get, i32.mul(i32.div(count.get, 4 * width), 16 * width))),
          whole.set(i32.add(place.get, i32.mul(i32.div(count.get, 4), 16))),
          width > 1
            ? f.loop(
                place,
                place.get,
                wholes.get,
                16 * width,
                Array.from({ length: width }, (_, i) => total.add(at(16 * i), i)),
              )
            : [],
          f.loop(place, place.get, whole.get, 16, total.add(at(0))),
          f.if(i32.lessUnsigned(place.get, stop.get), masked()),
          result.set(total.total()),
          v128.store32Lane(i32.add(y.get, i32.mul(unit.get, FLOAT)), result.get, 0),
        ])
      }
      /** `width` vectors of columns at a time. */
      const columns = (at: Code, width: number, lanes: number): Code => {
        const sums = Array.from({ length: width }, () => f.local('v128'))
        const parts = Array.from({ length: width }, () => f.local('v128'))
        const cursor = f.local('i32')
        const row = f.local('i32')
        const end = f.local('i32')
        const clear = (locals: readonly Local[]): Code => locals.map((x) => x.set(f32x4.const(start)))
        const add = (to: readonly Local[]): Code => [
          to.map((sum, v) => sum.set(combine(sum.get, value(cursor.get, at, v * 16)))),
          cursor.set(i32.add(cursor.get, inner * FLOAT)),
        ]
        const isShort = by === 'max' || Math.min(run, chunk) <= ROWS_AT_ONCE
        const inParts = [
          row.set(i32.const(0)),
          f.loop(end, i32.const(0), count.get, ROWS_AT_ONCE, [
            clear(parts),
            f.loop(row, row.get, i32.min(i32.add(end.get, ROWS_AT_ONCE), count.get), 1, add(parts)),
            sums.map((sum, v) => sum.set(combine(sum.get, parts[v].get))),
          ]),
        ]
        return [
          clear(sums),
          cursor.set(i32.add(place.get, at)),
          isShort ? f.loop(row, i32.const(0), count.get, 1, add(sums)) : inParts,
          sums.map((sum, v) =>
            storeFloats(
              i32.add(i32.add(y.get, i32.mul(unit.get, inner * FLOAT)), at),
              sum,
              v === width - 1 ? lanes : 4,
              v * 16,
            ),
          ),
        ]
      }
      // eight vectors, two cache lines of a row: 1.4 times as fast as four, on 32 channels as fast as memory gives
      const wide = Math.floor(inner / 32)
      const rest = inner % 32
      const at = f.local('i32')
      return f.loop(unit, begin.get, end.get, 1, [
        setUp,
        wide > 0 ? f.loop(at, i32.const(0), i32.const(wide * 128), 128, columns(at.get, 8, 4)) : [],
        rest > 0 ? columns(i32.const(wide * 128), Math.ceil(rest / 4), rest % 4 === 0 ? 4 : rest % 4) : [],
      ])
    },
)

/** What is reduced: an expression over inputs, or one input as it is. */
interface Operand {
  readonly inputs: readonly Value[]
  readonly head: Scalar
  readonly follows: readonly Follows[]
}
const alone = (x: Value): Operand => ({ inputs: [x], head: identity, follows: ['whole'] })

type Sizes = readonly [outer: number, run: number, inner: number]

function reduce(by: By, { inputs, head, follows }: Operand, [outer, run, inner]: Sizes, y: Value): WasmStage[] {
  const chunk = inner === 1 ? CHUNK.along : CHUNK.across
  const chunks = Math.ceil(run / chunk)
  const target = chunks === 1 ? y : scratch(outer, chunks, inner)
  const stage = kernel(
    { by, run, inner, chunk, head, follows },
    {
      reads: inputs.map((x) => x.buffer),
      writes: [target.buffer],
      units: outer * chunks,
      work: Math.min(run, chunk) * inner,
    },
  )
  return chunks === 1 ? [stage] : [stage, ...reduce(by, alone(target), [outer, chunks, inner], y)]
}

/** A shape seen as [outer, run, inner]. */
const around = (shape: Shape, { from, to }: AxisRun): Sizes => [
  sizeOf(shape.slice(0, from)),
  sizeOf(shape.slice(from, to)),
  sizeOf(shape.slice(to)),
]

export const sum: Lower<AxisRun> = ({ inputs, output, attrs, head }) => {
  if (!head) return reduce('sum', alone(inputs[0]), around(inputs[0].shape, attrs), output)
  const { shape } = head.spec
  const operand = { inputs, head: head.f, follows: inputs.map((x) => followsOf(x.shape, shape)) }
  const [outer, run, inner] = around(shape, attrs)
  const columns = shape[shape.length - 1]
  // vectors are read as the sum goes: the moments of [128, 32, 32, 32] take 1.5 ms, 3.4 with the differences written out
  const fits = inner === columns || (inner === 1 && run === columns) || !operand.follows.includes('column')
  if (fits) return reduce('sum', operand, [outer, run, inner], output)
  if (inner === 1) {
    const row = scratch(outer, columns)
    const across = reduce('sum', operand, [outer, run / columns, columns], row)
    return [...across, ...reduce('sum', alone(row), [outer, columns, 1], output)]
  }
  const made = scratch(...shape)
  const step = { kind: 'elementwise', shape, inputs, expressions: [head.f], outputs: [made] } as const
  return [elementwiseStage(step), ...reduce('sum', alone(made), [outer, run, inner], output)]
}

export const max: Lower<AxisRun> = ({ inputs: [x], output, attrs }) =>
  reduce('max', alone(x), around(x.shape, attrs), output)

const argmaxKernel = defineKernel<{ readonly run: number; readonly inner: number }>(
  'argmax',
  ({ run, inner }) =>
    (f, [x, y], begin, end) => {
      const unit = f.local('i32')
      const row = f.local('i32')
      const from = f.local('i32')
      const [value, most, best, better]: Local[] = Array.from({ length: 4 }, () => f.local('v128'))
      const column = (at: Code, offset: number, lanes: number): Code => [
        from.set(i32.add(i32.add(x.get, i32.mul(unit.get, run * inner * FLOAT)), at)),
        most.set(v128.load(from.get, offset)),
        best.set(i32x4.const(0)),
        f.loop(row, i32.const(0), i32.const(run), 1, [
          value.set(v128.load(from.get, offset)),
          better.set(f32x4.gt(value.get, most.get)),
          most.set(v128.select(better.get, value.get, most.get)),
          best.set(v128.select(better.get, i32x4.splat(row.get), best.get)),
          from.set(i32.add(from.get, inner * FLOAT)),
        ]),
        storeFloats(i32.add(i32.add(y.get, i32.mul(unit.get, inner * FLOAT)), at), best, lanes, offset),
      ]
      return f.loop(unit, begin.get, end.get, 1, overRun(f, inner, column))
    },
)

export const argmax: Lower<AxisRun> = ({ inputs: [x], output, attrs }) => {
  const [outer, run, inner] = around(x.shape, attrs)
  return [
    argmaxKernel({ run, inner }, { reads: [x.buffer], writes: [output.buffer], units: outer, work: run * inner * 2 }),
  ]
}
