/** Reductions of the middle of [outer, run, inner]: fixed chunks by size, then the chunks in their order. */
import type { Value } from '../../../compile/step.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { AxisRun } from '../../../ops/broadcasting.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import type { Code } from '../assembler.ts'
import { render } from '../expression.ts'
import type { Local } from '../function.ts'
import { f32x4, i32, i32x4, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { acrossLanes, overRun, storeFloats } from '../vectors.ts'
import type { Lower } from './context.ts'
import { identity, scratch } from './context.ts'

const FLOAT = 4

type By = 'sum' | 'max'
const rules = { sum: { start: 0, combine: f32x4.add }, max: { start: -Infinity, combine: f32x4.max } } as const

interface ReduceShape {
  readonly by: By
  readonly run: number
  readonly inner: number
  readonly chunk: number
  readonly head: Scalar
  /** Which inputs of the head are single numbers. */
  readonly single: readonly boolean[]
}

/** Rows of a chunk: enough to keep a thread busy, few enough that the sum of a chunk stays precise. */
const CHUNK = { along: 8192, across: 512 }

const kernel = defineKernel<ReduceShape>(
  'reduce',
  ({ by, run, inner, chunk, head, single }) =>
    (f, pointers, begin, end) => {
      const sources = pointers.slice(0, single.length)
      const y = pointers[single.length]
      const { start, combine } = rules[by]
      const chunks = Math.ceil(run / chunk)
      const unit = f.local('i32')
      const first = f.local('i32')
      const count = f.local('i32')
      const place = f.local('i32')
      const stop = f.local('i32')

      const value = (at: Code, offset: number): Code => {
        const { code, results } = render(f, [head], (i) =>
          single[i] ? v128.loadSplat(sources[i].get) : v128.load(i32.add(sources[i].get, at), offset),
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
        const sum = f.local('v128')
        const last = f.local('v128')
        // lanes beyond the end count as the start value
        const masked = (): Code => {
          const lanes = i32x4.splat(i32.sub(stop.get, place.get)) // in bytes
          const [set, beyond] = f.let('v128', i32x4.less(i32x4.lanes([0, 4, 8, 12]), lanes))
          return [
            last.set(value(place.get, 0)),
            set,
            sum.set(combine(sum.get, v128.select(beyond.get, last.get, f32x4.const(start)))),
          ]
        }
        const whole = f.local('i32') // where the last whole vector ends
        return f.loop(unit, begin.get, end.get, 1, [
          setUp,
          sum.set(f32x4.const(start)),
          stop.set(i32.add(place.get, i32.mul(count.get, FLOAT))),
          whole.set(i32.add(place.get, i32.mul(i32.div(count.get, 4), 16))),
          f.loop(place, place.get, whole.get, 16, sum.set(combine(sum.get, value(place.get, 0)))),
          f.if(i32.lessUnsigned(place.get, stop.get), masked()),
          sum.set(acrossLanes(f, sum.get, combine)),
          v128.store32Lane(i32.add(y.get, i32.mul(unit.get, FLOAT)), sum.get, 0),
        ])
      }
      /** `width` vectors of columns at a time. */
      const columns = (at: Code, width: number, lanes: number): Code => {
        const sums = Array.from({ length: width }, () => f.local('v128'))
        const cursor = f.local('i32')
        const row = f.local('i32')
        return [
          sums.map((sum) => sum.set(f32x4.const(start))),
          cursor.set(i32.add(place.get, at)),
          f.loop(row, i32.const(0), count.get, 1, [
            sums.map((sum, v) => sum.set(combine(sum.get, value(cursor.get, v * 16)))),
            cursor.set(i32.add(cursor.get, inner * FLOAT)),
          ]),
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
      const wide = Math.floor(inner / 16)
      const rest = inner % 16
      const at = f.local('i32')
      return f.loop(unit, begin.get, end.get, 1, [
        setUp,
        wide > 0 ? f.loop(at, i32.const(0), i32.const(wide * 64), 64, columns(at.get, 4, 4)) : [],
        rest > 0 ? columns(i32.const(wide * 64), Math.ceil(rest / 4), rest % 4 === 0 ? 4 : rest % 4) : [],
      ])
    },
)

function reduce(
  by: By,
  inputs: readonly Value[],
  head: Scalar,
  [outer, run, inner]: readonly [number, number, number],
  y: Value,
): WasmStage[] {
  const chunk = inner === 1 ? CHUNK.along : CHUNK.across
  const chunks = Math.ceil(run / chunk)
  const target = chunks === 1 ? y : scratch(outer, chunks, inner)
  const single = inputs.map((x) => sizeOf(x.shape) === 1 && outer * run * inner > 1)
  const stage = kernel(
    { by, run, inner, chunk, head, single },
    {
      reads: inputs.map((x) => x.buffer),
      writes: [target.buffer],
      units: outer * chunks,
      work: Math.min(run, chunk) * inner,
    },
  )
  return chunks === 1 ? [stage] : [stage, ...reduce(by, [target], identity, [outer, chunks, inner], y)]
}

/** A shape seen as [outer, run, inner]. */
function around(shape: readonly number[], { from, to }: AxisRun): [number, number, number] {
  return [sizeOf(shape.slice(0, from)), sizeOf(shape.slice(from, to)), sizeOf(shape.slice(to))]
}

export const sum: Lower<AxisRun> = ({ inputs, output, attrs, head }) =>
  reduce('sum', inputs, head?.f ?? identity, around(head?.spec.shape ?? inputs[0].shape, attrs), output)

export const max: Lower<AxisRun> = ({ inputs, output, attrs }) =>
  reduce('max', inputs, identity, around(inputs[0].shape, attrs), output)

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
