/** Pooling, a vector of channels at a time. */
import type { Value } from '../../../compile/step.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import type { AveragePoolAttrs, PoolAttrs, poolingPrimitives } from '../../../ops/pooling.ts'
import { poolAxes } from '../../../ops/pooling.ts'
import type { Code } from '../assembler.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { f32x4, i32, i32x4, v128 } from '../instructions.ts'
import { defineKernel } from '../kernel.ts'
import { DoubleLanes, FLOAT, fillRun, maskLanes, overRun, storeFloats, VECTOR } from '../vectors.ts'
import type { Kernels, Lower, TailShape } from './context.ts'
import { renderTail, scratch, tailBuffers, tailShape, tailStages } from './context.ts'

interface PoolShape {
  readonly channels: number
  /** Depth, height, width; missing ones first, of size 1. */
  readonly axes: readonly AxisWindow[]
  /** A mean is over whole windows. */
  readonly countPadding?: true
}

const flatAxis: AxisWindow = { input: 1, output: 1, window: 1, stride: 1, dilation: 1, before: 0, after: 0 }

function poolShape(x: Shape, attrs: AveragePoolAttrs): PoolShape {
  const axes = [flatAxis, flatAxis, ...poolAxes(x, attrs)].slice(-3)
  return { channels: x[x.length - 1], axes, ...(attrs.countPadding && { countPadding: true }) }
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)
const inputsOf = ({ axes }: PoolShape): number => product(axes.map((a) => a.input))
const outputsOf = ({ axes }: PoolShape): number => product(axes.map((a) => a.output))

/** Sums of more numbers are kept in double. */
const LONG = 256
/** Neighbours along the width of a window that are added in float before. */
const PIECE = 32

const isLarge = ({ axes }: PoolShape): boolean => product(axes.map((a) => a.window)) > LONG
/** Does a place lie in so many windows that what they give it is a long sum? */
const isCrowded = ({ axes }: PoolShape): boolean =>
  product(axes.map((a) => Math.min(a.output, Math.ceil(a.window / a.stride)))) > LONG

/**
 * Finds the window of output `index` of one image and visits the places inside the input, in order, as byte offsets; with
 * `pieces`, its code before and after every few neighbours along the width.
 */
class WindowWalk {
  readonly setUp: (index: Code) => Code
  readonly visit: (body: (place: Local) => Code, pieces?: { readonly before: Code; readonly after: Code }) => Code
  /** Sets a local to what a mean divides by: the number of places visited, or of all. */
  readonly count: (count: Local) => Code

  constructor(f: FunctionWriter, { channels, axes, countPadding }: PoolShape) {
    const from = axes.map(() => f.local('i32'))
    const to = axes.map(() => f.local('i32'))
    const at = axes.map(() => f.local('i32'))
    const rest = f.local('i32')
    const place = f.local('i32')
    this.setUp = (index) => [
      rest.set(index),
      [2, 1, 0].map((i) => {
        const { output, stride, before, window, input } = axes[i]
        const start = f.local('i32')
        return [
          start.set(i32.add(i32.mul(i32.rem(rest.get, output), stride), -before)),
          rest.set(i32.div(rest.get, output)),
          to[i].set(i32.add(start.get, window)),
          to[i].set(i32.min(to[i].get, i32.const(input))),
          from[i].set(i32.max(start.get, i32.const(0))),
        ]
      }),
    ]
    const [first, end] = [f.local('i32'), f.local('i32')] // of a piece
    this.visit = (body, pieces) => {
      const flat = i32.add(i32.mul(i32.add(i32.mul(at[0].get, axes[1].input), at[1].get), axes[2].input), at[2].get)
      const along = (i: number, code: Code): Code =>
        axes[i].window === 1 && axes[i].input === 1
          ? [at[i].set(i32.const(0)), code]
          : f.loop(at[i], from[i].get, to[i].get, 1, code)
      const inner = [place.set(i32.mul(flat, channels * FLOAT)), body(place)]
      const row = pieces
        ? f.loop(first, from[2].get, to[2].get, PIECE, [
            end.set(i32.add(first.get, PIECE)),
            end.set(i32.min(end.get, to[2].get)),
            pieces.before,
            f.loop(at[2], first.get, end.get, 1, inner),
            pieces.after,
          ])
        : along(2, inner)
      return along(0, along(1, row))
    }
    const size = (i: number): Code => i32.sub(to[i].get, from[i].get)
    this.count = (count) =>
      count.set(
        countPadding
          ? i32.const(product(axes.map(({ window }) => window)))
          : i32.mul(i32.mul(size(0), size(1)), size(2)),
      )
  }
}

const asFloats = (count: Code): Code => f32x4.fromInt(i32x4.splat(count))

const forwardKernel = defineKernel<PoolShape & { readonly by: 'max' | 'average' }>(
  'pool',
  (shape) =>
    (f, [x, y], begin, end) => {
      const { channels, by } = shape
      const unit = f.local('i32')
      const image = f.local('i32')
      const target = f.local('i32')
      const count = f.local('i32')
      const sum = f.local('v128')
      const total = new DoubleLanes(f)
      const walk = new WindowWalk(f, shape)
      const vector = (at: Code, offset: number, lanes: number): Code => {
        const combine = by === 'max' ? f32x4.max : f32x4.add
        const value = (place: Local) => v128.load(i32.add(i32.add(image.get, place.get), at), offset)
        const start = sum.set(f32x4.const(by === 'max' ? -Infinity : 0))
        const add = (place: Local): Code => sum.set(combine(sum.get, value(place)))
        const inPieces = [
          total.clear(),
          walk.visit(add, { before: start, after: total.add(sum) }),
          sum.set(total.floats()),
        ]
        return [
          by === 'average' && isLarge(shape) ? inPieces : [start, walk.visit(add)],
          by === 'max' ? [] : sum.set(f32x4.div(sum.get, asFloats(count.get))),
          storeFloats(i32.add(target.get, at), sum, lanes, offset),
        ]
      }
      return f.loop(unit, begin.get, end.get, 1, [
        walk.setUp(i32.rem(unit.get, outputsOf(shape))),
        image.set(i32.add(x.get, i32.mul(i32.div(unit.get, outputsOf(shape)), inputsOf(shape) * channels * FLOAT))),
        target.set(i32.add(y.get, i32.mul(unit.get, channels * FLOAT))),
        by === 'max' ? [] : walk.count(count),
        overRun(f, channels, vector),
      ])
    },
)

function forward(by: 'max' | 'average'): Lower<AveragePoolAttrs> {
  return ({ inputs: [x], output, attrs }) => {
    const shape = poolShape(x.shape, attrs)
    const window = product(shape.axes.map((a) => a.window))
    return [
      forwardKernel(
        { ...shape, by },
        {
          reads: [x.buffer],
          writes: [output.buffer],
          units: x.shape[0] * outputsOf(shape),
          work: window * shape.channels,
        },
      ),
    ]
  }
}

/** Windows that tile the input exactly: every element of dx is written once, tail included. */
const tiles = ({ axes }: PoolShape): boolean =>
  axes.every((a) => a.window === a.stride && a.before === 0 && a.output * a.stride === a.input)

const maxTiles = defineKernel<PoolShape & { readonly tail?: TailShape }>(
  'maxTilesGradient',
  (shape) => (f, pointers, begin, end) => {
    const { channels, tail } = shape
    const [x, y, dy] = pointers
    const extras = pointers.slice(3, -1)
    const dx = pointers[pointers.length - 1]
    const unit = f.local('i32')
    const image = f.local('i32')
    const pooled = f.local('i32')
    const at = f.local('i32')
    const [most, flow, open, hit, result] = Array.from({ length: 5 }, () => f.local('v128'))
    const walk = new WindowWalk(f, shape)
    const vector = (column: Code, offset: number, lanes: number): Code => [
      most.set(v128.load(i32.add(i32.add(y.get, pooled.get), column), offset)),
      flow.set(v128.load(i32.add(i32.add(dy.get, pooled.get), column), offset)),
      open.set(f32x4.eq(f32x4.const(0), f32x4.const(0))),
      walk.visit((place) => {
        const where = [at.set(i32.add(i32.add(image.get, place.get), column))]
        const { code, result: done } = renderTail(f, tail, result, extras, {
          place: at.get,
          column,
          offset: { place: offset, column: offset },
        })
        return [
          where,
          hit.set(v128.and(open.get, f32x4.eq(v128.load(i32.add(x.get, at.get), offset), most.get))),
          open.set(v128.andNot(open.get, hit.get)),
          result.set(v128.and(hit.get, flow.get)),
          code,
          storeFloats(i32.add(dx.get, at.get), done, lanes, offset),
        ]
      }),
    ]
    return f.loop(unit, begin.get, end.get, 1, [
      walk.setUp(i32.rem(unit.get, outputsOf(shape))),
      image.set(i32.mul(i32.div(unit.get, outputsOf(shape)), inputsOf(shape) * channels * FLOAT)),
      pooled.set(i32.mul(unit.get, channels * FLOAT)),
      overRun(f, channels, vector),
    ])
  },
)

const VECTOR_OF_DOUBLES = 2 * VECTOR
/** Floats' worth of memory for an image's sums in double, with a vector for the lanes beyond its end. */
const sumsOf = (shape: PoolShape): number => 2 * inputsOf(shape) * shape.channels + VECTOR_OF_DOUBLES / FLOAT

/**
 * One image per unit: windows may overlap, so their parts are added in the order of the windows. Where many windows cover a
 * place, they are added in double, to `sums`.
 */
const scatterKernel = defineKernel<PoolShape & { readonly by: 'max' | 'average' }>(
  'poolGradient',
  (shape) => (f, pointers, begin, end) => {
    const { channels, by } = shape
    const inDouble = isCrowded(shape)
    const [dy, sums] = pointers.slice(by === 'max' ? 2 : 0)
    const dx = pointers[pointers.length - 1]
    const unit = f.local('i32')
    const window = f.local('i32')
    const image = f.local('i32')
    const pooled = f.local('i32')
    const at = f.local('i32')
    const count = f.local('i32')
    const doubles = f.local('i32') // to which twice a place in dx is added
    const double = f.local('i32')
    const [most, flow, open, hit, sum] = Array.from({ length: 5 }, () => f.local('v128'))
    const total = new DoubleLanes(f)
    const walk = new WindowWalk(f, shape)
    const floats = inputsOf(shape) * channels
    const add = (value: Code, lanes: number, offset: number): Code =>
      inDouble
        ? [
            sum.set(maskLanes(value, lanes, 0)), // beyond the last channel stand the next place's
            double.set(i32.add(doubles.get, i32.mul(at.get, 2))),
            total.load(double.get, 2 * offset),
            total.add(sum),
            total.store(double.get, 2 * offset),
          ]
        : [
            sum.set(f32x4.add(v128.load(i32.add(dx.get, at.get), offset), value)),
            storeFloats(i32.add(dx.get, at.get), sum, lanes, offset),
          ]
    const narrowed = (run: Code, offset: number, lanes: number): Code => [
      at.set(i32.add(image.get, run)),
      double.set(i32.add(doubles.get, i32.mul(at.get, 2))),
      total.load(double.get, 2 * offset),
      sum.set(total.floats()),
      storeFloats(i32.add(dx.get, at.get), sum, lanes, offset),
    ]
    const vector = (column: Code, offset: number, lanes: number): Code => {
      const setFlow = flow.set(v128.load(i32.add(i32.add(dy.get, pooled.get), column), offset))
      const setAt = (place: Local) => at.set(i32.add(i32.add(image.get, place.get), column))
      if (by === 'average') {
        return [
          setFlow,
          flow.set(f32x4.div(flow.get, asFloats(count.get))),
          walk.visit((place) => [setAt(place), add(flow.get, lanes, offset)]),
        ]
      }
      const [x, y] = pointers
      return [
        setFlow,
        most.set(v128.load(i32.add(i32.add(y.get, pooled.get), column), offset)),
        open.set(f32x4.eq(f32x4.const(0), f32x4.const(0))),
        walk.visit((place) => [
          setAt(place),
          hit.set(v128.and(open.get, f32x4.eq(v128.load(i32.add(x.get, at.get), offset), most.get))),
          open.set(v128.andNot(open.get, hit.get)),
          add(v128.and(hit.get, flow.get), lanes, offset),
        ]),
      ]
    }
    return f.loop(unit, begin.get, end.get, 1, [
      image.set(i32.mul(unit.get, floats * FLOAT)),
      inDouble
        ? [
            doubles.set(i32.add(sums.get, i32.mul(unit.get, VECTOR_OF_DOUBLES))),
            fillRun(f, i32.add(sums.get, i32.mul(unit.get, sumsOf(shape) * FLOAT)), sumsOf(shape)),
          ]
        : fillRun(f, i32.add(dx.get, image.get), floats),
      f.loop(window, i32.const(0), i32.const(outputsOf(shape)), 1, [
        walk.setUp(window.get),
        pooled.set(i32.mul(i32.add(i32.mul(unit.get, outputsOf(shape)), window.get), channels * FLOAT)),
        by === 'average' ? walk.count(count) : [],
        overRun(f, channels, vector),
      ]),
      inDouble ? overRun(f, floats, narrowed) : [],
    ])
  },
)

function scatter(by: 'max' | 'average', shape: PoolShape, inputs: readonly Value[], output: Value) {
  const work = product(shape.axes.map((a) => a.output * a.window)) * shape.channels * 2
  const sums = isCrowded(shape) ? [scratch(output.shape[0], sumsOf(shape)).buffer] : []
  return scatterKernel(
    { ...shape, by },
    { reads: inputs.map((x) => x.buffer), writes: [...sums, output.buffer], units: output.shape[0], work },
  )
}

const takeKernel = defineKernel<PoolShape>('maxPoolTake', (shape) => (f, [x, y, g, z], begin, end) => {
  const { channels } = shape
  const unit = f.local('i32')
  const image = f.local('i32')
  const pooled = f.local('i32')
  const at = f.local('i32')
  const [most, open, hit, taken] = Array.from({ length: 4 }, () => f.local('v128'))
  const walk = new WindowWalk(f, shape)
  const vector = (column: Code, offset: number, lanes: number): Code => [
    most.set(v128.load(i32.add(i32.add(y.get, pooled.get), column), offset)),
    open.set(f32x4.eq(f32x4.const(0), f32x4.const(0))),
    taken.set(f32x4.const(0)),
    walk.visit((place) => [
      at.set(i32.add(i32.add(image.get, place.get), column)),
      hit.set(v128.and(open.get, f32x4.eq(v128.load(i32.add(x.get, at.get), offset), most.get))),
      open.set(v128.andNot(open.get, hit.get)),
      taken.set(v128.or(taken.get, v128.and(hit.get, v128.load(i32.add(g.get, at.get), offset)))),
    ]),
    storeFloats(i32.add(i32.add(z.get, pooled.get), column), taken, lanes, offset),
  ]
  return f.loop(unit, begin.get, end.get, 1, [
    walk.setUp(i32.rem(unit.get, outputsOf(shape))),
    image.set(i32.mul(i32.div(unit.get, outputsOf(shape)), inputsOf(shape) * channels * FLOAT)),
    pooled.set(i32.mul(unit.get, channels * FLOAT)),
    overRun(f, channels, vector),
  ])
})

const maxPoolTake: Lower<PoolAttrs> = ({ inputs, output, attrs }) => {
  const shape = poolShape(inputs[0].shape, attrs)
  const work = product(shape.axes.map((a) => a.window)) * shape.channels * 2
  const reads = inputs.map((x) => x.buffer)
  return [takeKernel(shape, { reads, writes: [output.buffer], units: output.shape[0] * outputsOf(shape), work })]
}

const maxPool = forward('max')
const averagePool = forward('average')

const maxPoolGradient: Lower<PoolAttrs> = (step) => {
  const { inputs, output, attrs } = step
  const shape = poolShape(output.shape, attrs)
  if (!tiles(shape)) return [scatter('max', shape, inputs, output), ...tailStages(step)]
  const tail = tailShape(step)
  const window = product(shape.axes.map((a) => a.window))
  return [
    maxTiles(
      { ...shape, ...(tail && { tail }) },
      {
        reads: [...inputs.map((x) => x.buffer), ...tailBuffers(step)],
        writes: [output.buffer],
        units: output.shape[0] * outputsOf(shape),
        work: window * shape.channels * 2,
      },
    ),
  ]
}

const averagePoolGradient: Lower<AveragePoolAttrs & { readonly inputShape: Shape }> = (step) => {
  const { inputs, output, attrs } = step
  return [scatter('average', poolShape(output.shape, attrs), inputs, output), ...tailStages(step)]
}

export const poolingKernels: Kernels<typeof poolingPrimitives> = {
  maxPool,
  maxPoolGradient,
  maxPoolTake,
  averagePool,
  averagePoolGradient,
}
