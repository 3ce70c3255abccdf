/** Movement: numbers copied as they are, in vectors where both sides are contiguous. */
import type { Value } from '../../../compile/step.ts'
import type { Attrs } from '../../../graph/node.ts'
import type { Shape } from '../../../graph/shape.ts'
import { broadcastStrides, joinAxes, sizeOf, stridesOf } from '../../../graph/shape.ts'
import type { movementPrimitives } from '../../../ops/movement.ts'
import type { Code } from '../assembler.ts'
import { i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { copyRun, FLOAT, fillRun, overRun, storeFloats } from '../vectors.ts'
import type { Kernels, Lower } from './context.ts'

interface Walk {
  readonly sizes: readonly number[]
  /** Elements from one place to the next along each axis, on both sides. */
  readonly from: readonly number[]
  readonly to: readonly number[]
  readonly fromStart?: number
  readonly toStart?: number
}

type Width = 1 | 4

/** Neighbouring axes that both sides walk as one are one; at least two remain. */
function joined({ sizes, from, to }: Walk): { sizes: number[]; from: number[]; to: number[] } {
  const { sizes: kept, strides } = joinAxes(sizes, [from, to])
  const result = { sizes: kept, from: strides[0], to: strides[1] }
  while (result.sizes.length < 2) {
    result.sizes.unshift(1)
    result.from.unshift(0)
    result.to.unshift(0)
  }
  return result
}

const walkKernel = defineKernel<Walk & { readonly width: Width }>(
  'walk',
  ({ sizes, from, to, fromStart = 0, toStart = 0, width }) =>
    (f, [source, target], begin, end) => {
      const last = sizes.length - 1
      const unit = f.local('i32')
      const a = f.local('i32')
      const b = f.local('i32')
      const offsets = (strides: readonly number[], start: number): Code => {
        let rest: Code = unit.get
        let offset: Code = i32.const(start * width)
        for (let axis = last - 1; axis >= 0; axis--) {
          offset = i32.add(offset, i32.mul(axis > 0 ? i32.rem(rest, sizes[axis]) : rest, strides[axis] * width))
          rest = i32.div(rest, sizes[axis])
        }
        return offset
      }
      const run = (): Code => {
        if (width === 4 && to[last] === 1 && from[last] === 1) return copyRun(f, b.get, a.get, sizes[last])
        if (width === 4 && to[last] === 1) {
          // four gathered, one store; from[last] is 0 for a repeated number
          const held = f.local('v128')
          const at = f.local('i32')
          return [
            at.set(a.get),
            overRun(f, sizes[last], (place, offset, lanes) => [
              held.set(v128.loadSplat(at.get)),
              Array.from({ length: lanes - 1 }, (_, i) =>
                held.set(v128.load32Lane(at.get, held.get, i + 1, (i + 1) * from[last] * FLOAT)),
              ),
              at.set(i32.add(at.get, 4 * from[last] * FLOAT)),
              storeFloats(i32.add(b.get, place), held, lanes, offset),
            ]),
          ]
        }
        const [load, store] = width === 4 ? [i32.load, i32.store] : [i32.load8, i32.store8]
        return f.times(sizes[last], () => [
          store(b.get, load(a.get)),
          a.set(i32.add(a.get, from[last] * width)),
          b.set(i32.add(b.get, to[last] * width)),
        ])
      }
      return f.loop(unit, begin.get, end.get, 1, [
        a.set(i32.add(source.get, offsets(from, fromStart))),
        b.set(i32.add(target.get, offsets(to, toStart))),
        run(),
      ])
    },
)

/** Copies elements from one strided order to another. */
export function rearranged(x: Value, y: Value, walk: Walk): WasmStage {
  const { sizes, from, to } = joined(walk)
  const width = x.dtype === 'uint8' ? 1 : 4
  const count = sizes[sizes.length - 1]
  const starts = {
    ...(walk.fromStart && { fromStart: walk.fromStart }),
    ...(walk.toStart && { toStart: walk.toStart }),
  }
  return walkKernel(
    { sizes, from, to, ...starts, width },
    { reads: [x.buffer], writes: [y.buffer], units: sizeOf(sizes) / count, work: count * 2 },
  )
}

const fillKernel = defineKernel<{ readonly bits: number; readonly width: Width }>(
  'fill',
  ({ bits, width }) =>
    (f, [target], begin, end) => {
      const unit = f.local('i32')
      const store = width === 4 ? i32.store : i32.store8
      return f.loop(unit, begin.get, end.get, 1, store(i32.add(target.get, i32.mul(unit.get, width)), i32.const(bits)))
    },
)

/** Writes one value everywhere. */
export function filled(y: Value, value: number): WasmStage {
  const rows = sizeOf(y.shape)
  if (y.dtype !== 'float32' || rows < 64) {
    const width = y.dtype === 'uint8' ? 1 : 4
    const bits = y.dtype === 'float32' ? new Int32Array(Float32Array.of(value).buffer)[0] : value
    return fillKernel({ bits, width }, { reads: [], writes: [y.buffer], units: rows, work: 1 })
  }
  return fillVectors({ value }, { reads: [], writes: [y.buffer], units: Math.ceil(rows / 4), work: 4 })
}

const fillVectors = defineKernel<{ readonly value: number }>(
  'fillVectors',
  ({ value }) =>
    (f, [target], begin, end) => {
      const unit = f.local('i32')
      return f.loop(unit, begin.get, end.get, 1, fillRun(f, i32.add(target.get, i32.mul(unit.get, 16)), 4, value))
    },
)

/** Along one spatial axis: element i of `from` goes to place i * step + before of `to`; the rest is zero. */
interface Spread {
  readonly from: number
  readonly to: number
  readonly before: number
  readonly step: number
}

interface BorderShape {
  readonly channels: number
  readonly along: readonly Spread[]
}

const borderKernel = defineKernel<BorderShape>(
  'border',
  ({ channels, along: [depth, height, width] }) =>
    (f, [source, target], begin, end) => {
      const unit = f.local('i32')
      const to = f.local('i32')
      const from = f.local('i32')
      const rest = f.local('i32')
      const d = f.local('i32')
      const h = f.local('i32')
      const rowFloats = width.to * channels

      /** The place in the source of output place `i`, and whether there is one. */
      const origin = (i: Code, { before, step }: Spread): Code => i32.div(i32.add(i, -before), step)
      const isInside = (i: Code, { from, before, step }: Spread): Code => {
        const inRange = i32.lessUnsigned(i32.add(i, -before), i32.const((from - 1) * step + 1))
        return step === 1 ? inRange : i32.and(inRange, i32.equal(i32.rem(i32.add(i, -before), step), i32.const(0)))
      }
      const firstPlace = Math.max(0, Math.ceil(-width.before / width.step))
      const lastPlace = Math.min(width.from - 1, Math.floor((width.to - 1 - width.before) / width.step))
      const copied = Math.max(0, lastPlace - firstPlace + 1)
      const start = (firstPlace * width.step + width.before) * channels
      const sourceStart = firstPlace * channels
      const copy =
        copied === 0
          ? fillRun(f, to.get, rowFloats)
          : width.step === 1
            ? [
                fillRun(f, to.get, start),
                copyRun(f, i32.add(to.get, start * FLOAT), i32.add(from.get, sourceStart * FLOAT), copied * channels),
                fillRun(f, i32.add(to.get, (start + copied * channels) * FLOAT), rowFloats - start - copied * channels),
              ]
            : [
                fillRun(f, to.get, rowFloats),
                to.set(i32.add(to.get, start * FLOAT)),
                from.set(i32.add(from.get, sourceStart * FLOAT)),
                f.times(copied, () => [
                  copyRun(f, to.get, from.get, channels),
                  to.set(i32.add(to.get, width.step * channels * FLOAT)),
                  from.set(i32.add(from.get, channels * FLOAT)),
                ]),
              ]
      const sourceRow = i32.add(
        i32.mul(i32.add(i32.mul(rest.get, depth.from), origin(d.get, depth)), height.from),
        origin(h.get, height),
      )
      return f.loop(unit, begin.get, end.get, 1, [
        to.set(i32.add(target.get, i32.mul(unit.get, rowFloats * FLOAT))),
        h.set(i32.rem(unit.get, height.to)),
        rest.set(i32.div(unit.get, height.to)),
        d.set(i32.rem(rest.get, depth.to)),
        rest.set(i32.div(rest.get, depth.to)),
        f.if(
          i32.and(isInside(d.get, depth), isInside(h.get, height)),
          [from.set(i32.add(source.get, i32.mul(sourceRow, width.from * channels * FLOAT))), copy],
          fillRun(f, to.get, rowFloats),
        ),
      ])
    },
)

/** Images with a zero border, their elements spread by a step: what windows slide over. */
export function bordered(
  x: Value,
  y: Value,
  { batch, channels, along }: BorderShape & { readonly batch: number },
): WasmStage {
  const [depth, height, width] = along
  return borderKernel(
    { channels, along },
    { reads: [x.buffer], writes: [y.buffer], units: batch * depth.to * height.to, work: width.to * channels * 2 },
  )
}

const transpose: Lower<{ readonly permutation: readonly number[] }> = ({ inputs: [x], output, attrs }) => {
  const strides = stridesOf(x.shape)
  const from = attrs.permutation.map((axis) => strides[axis])
  return [rearranged(x, output, { sizes: output.shape, from, to: stridesOf(output.shape) })]
}

const pad: Lower<{ readonly padding: readonly (readonly [number, number])[]; readonly value?: number }> = ({
  inputs: [x],
  output,
  attrs,
}) => {
  const to = stridesOf(output.shape)
  const toStart = to.reduce((sum, stride, axis) => sum + stride * attrs.padding[axis][0], 0)
  return [
    filled(output, attrs.value ?? 0),
    rearranged(x, output, { sizes: x.shape, from: stridesOf(x.shape), to, toStart }),
  ]
}

const slice: Lower<{ readonly begin: readonly number[]; readonly size: Shape }> = ({ inputs: [x], output, attrs }) => {
  const from = stridesOf(x.shape)
  const fromStart = from.reduce((sum, stride, axis) => sum + stride * attrs.begin[axis], 0)
  return [rearranged(x, output, { sizes: output.shape, from, to: stridesOf(output.shape), fromStart })]
}

const concat: Lower<Attrs & { readonly axis: number }> = ({ inputs, output, attrs: { axis } }) => {
  const to = stridesOf(output.shape)
  let start = 0
  return inputs.map((x) => {
    const toStart = start * to[axis]
    start += x.shape[axis]
    return rearranged(x, output, { sizes: x.shape, from: stridesOf(x.shape), to, toStart })
  })
}

const broadcastTo: Lower<{ readonly shape: Shape }> = ({ inputs: [x], output }) => [
  rearranged(x, output, {
    sizes: output.shape,
    from: broadcastStrides(x.shape, output.shape),
    to: stridesOf(output.shape),
  }),
]

export const movementKernels: Kernels<typeof movementPrimitives> = { transpose, pad, slice, concat, broadcastTo }
