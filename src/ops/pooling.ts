/** Pooling over sliding windows of [n, ...spatial, channels], rank 1 to 3. Padding never takes part. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { flag, optional, sizes } from '../base/options.ts'
import type { Node, Op, SlidingWindow } from '../graph/node.ts'
import { defineOp, wantAlike } from '../graph/node.ts'
import type { AxisWindow, Padding, Shape } from '../graph/shape.ts'
import { sameShape, shapeText, slide } from '../graph/shape.ts'
import { images, perSpatialAxis, strides, windowPadding } from './arguments.ts'
import { op } from './checked.ts'

export interface PoolAttrs {
  /** One entry per spatial axis. */
  readonly window: readonly number[]
  readonly strides: readonly number[]
  readonly padding: Padding
}

/** Of the mean: with `countPadding` a border counts as zeros, so that every mean is over a whole window. */
export interface AveragePoolAttrs extends PoolAttrs {
  readonly countPadding?: boolean
}

/** What a pooling window does along every spatial axis; checked. */
export function poolAxes(x: Shape, { window, strides, padding }: PoolAttrs): AxisWindow[] {
  if (x.length < 3 || x.length > 5) {
    throw new FoveaError('E_SHAPE', {
      what: 'needs [n, ...spatial, channels] with 1 to 3 spatial axes',
      got: shapeText(x),
    })
  }
  const axes = slide(x.slice(1, -1), { window, strides, padding, dilation: window.map(() => 1) })
  for (const axis of axes) {
    if (axis.before < axis.window && axis.after < axis.window) continue
    throw new FoveaError('E_SHAPE', { what: 'padding must be smaller than the window' })
  }
  return axes
}

const pooled = (x: Shape, attrs: PoolAttrs): Shape => [
  x[0],
  ...poolAxes(x, attrs).map((axis) => axis.output),
  x[x.length - 1],
]

function wantPooled(given: Shape, x: Shape, attrs: PoolAttrs): void {
  const expected = pooled(x, attrs)
  if (sameShape(given, expected)) return
  const [wanted, got] = [shapeText(expected), shapeText(given)]
  throw new FoveaError('E_SHAPE', { what: 'a gradient has another shape than the output', expected: wanted, got })
}

const settings: { x: Shape; attrs: PoolAttrs }[] = [
  { x: [2, 5, 6, 3], attrs: { window: [3, 2], strides: [2, 1], padding: 'valid' } },
  { x: [2, 7, 6, 5], attrs: { window: [3, 3], strides: [2, 2], padding: 'same' } },
  { x: [1, 8, 8, 20], attrs: { window: [2, 2], strides: [2, 2], padding: 'valid' } },
  { x: [2, 7, 5, 4], attrs: { window: [2, 2], strides: [2, 2], padding: 'valid' } },
  { x: [1, 6, 6, 8], attrs: { window: [3, 3], strides: [1, 1], padding: 'same' } },
  {
    x: [1, 7, 7, 2],
    attrs: {
      window: [2, 2],
      strides: [3, 3],
      padding: [
        [0, 1],
        [1, 0],
      ],
    },
  },
  { x: [2, 9, 3], attrs: { window: [2], strides: [2], padding: 'same' } },
  { x: [1, 4, 5, 6, 2], attrs: { window: [2, 2, 3], strides: [2, 2, 2], padding: 'same' } },
  { x: [2, 20, 38, 5], attrs: { window: [17, 36], strides: [1, 1], padding: 'same' } },
]

const windowOf = ({ window: size, strides }: PoolAttrs): SlidingWindow => ({
  size,
  strides,
  dilation: size.map(() => 1),
})

/** The largest value of every window; NaN passes. */
export const maxPool: Op<1, PoolAttrs> = defineOp('maxPool', 1, {
  infer: ([x], attrs) => {
    return { shape: pooled(x.shape, attrs), dtype: wantAlike([x]) }
  },
  gradient: (dy, y, [x], attrs) => [maxPoolGradient(x, y, dy, attrs)],
  precision: { reads: 'alike', gives: 'any' },
  role: 'windowMax',
  window: (_, attrs) => windowOf(attrs),
  samples: settings.map(({ x, attrs }) => ({ shapes: [x], attrs })),
})

/** dy goes to the first maximum of its window, in row-major order; from a window with a NaN it goes nowhere. */
export const maxPoolGradient: Op<3, PoolAttrs> = defineOp('maxPoolGradient', 3, {
  infer: ([x, y, dy], attrs) => {
    for (const given of [y, dy]) wantPooled(given.shape, x.shape, attrs)
    return { shape: x.shape, dtype: wantAlike([x, y, dy]) }
  },
  // x and y say where a maximum is, and that does not move
  gradient: (g, _, [x, y], attrs) => [undefined, undefined, maxPoolTake(x, y, g, attrs)],
  fuses: { tail: true },
  precision: { reads: 'alike', gives: 'any' },
  role: 'windowMaxGradient',
  samples: settings.map(({ x, attrs }) => ({ shapes: [x, pooled(x, attrs), pooled(x, attrs)], attrs })),
})

/** The values of g at the first maximum of every window of x, in row-major order; 0 for a window with a NaN. */
export const maxPoolTake: Op<3, PoolAttrs> = defineOp('maxPoolTake', 3, {
  infer: ([x, y, g], attrs) => {
    wantPooled(y.shape, x.shape, attrs)
    if (sameShape(g.shape, x.shape)) return { shape: y.shape, dtype: wantAlike([x, y, g]) }
    const [expected, got] = [shapeText(x.shape), shapeText(g.shape)]
    throw new FoveaError('E_SHAPE', { what: 'g has another shape than x', expected, got })
  },
  gradient: (dz, _, [x, y], attrs) => [undefined, undefined, maxPoolGradient(x, y, dz, attrs)],
  precision: { reads: 'alike', gives: 'any' },
  samples: settings.map(({ x, attrs }) => ({ shapes: [x, pooled(x, attrs), x], attrs })),
})

const averages: { x: Shape; attrs: AveragePoolAttrs }[] = [
  ...settings,
  ...[1, 5, 8].map((i) => ({ ...settings[i], attrs: { ...settings[i].attrs, countPadding: true } })),
]

/** The mean of every window, over the elements that are inside the input, or over all with countPadding. */
export const averagePool: Op<1, AveragePoolAttrs> = defineOp('averagePool', 1, {
  infer: ([x], attrs) => {
    return { shape: pooled(x.shape, attrs), dtype: wantAlike([x]) }
  },
  gradient: (dy, _, [x], attrs) => [averagePoolGradient(dy, { ...attrs, inputShape: x.shape })],
  precision: { reads: 'alike', gives: 'any' },
  window: (_, attrs) => windowOf(attrs),
  samples: averages.map(({ x, attrs }) => ({ shapes: [x], attrs })),
})

/** dy spread evenly over the elements of its window; with countPadding what falls on a border is lost. */
export const averagePoolGradient: Op<1, AveragePoolAttrs & { readonly inputShape: Shape }> = defineOp(
  'averagePoolGradient',
  1,
  {
    infer: ([dy], { inputShape, ...attrs }) => {
      wantPooled(dy.shape, inputShape, attrs)
      return { shape: inputShape, dtype: wantAlike([dy]) }
    },
    gradient: (g, _, __, { inputShape: _inputShape, ...attrs }) => [averagePool(g, attrs)],
    fuses: { tail: true },
    precision: { reads: 'alike', gives: 'any' },
    samples: averages.map(({ x, attrs }) => ({ shapes: [pooled(x, attrs)], attrs: { ...attrs, inputShape: x } })),
  },
)

/** What engines compute. */
export const poolingPrimitives = { maxPool, maxPoolGradient, maxPoolTake, averagePool, averagePoolGradient } as const

const attrs = {
  window: sizes({ says: 'sizes of the window, one number or one per spatial axis', min: 1 }),
  strides: optional(strides, 'steps of the window, one number or one per spatial axis; the window when absent'),
  padding: windowPadding,
}

/** A pooling for users: the windows lie side by side unless strides are given. */
const publicOf = <const T extends typeof attrs>(says: string, table: T, pool: Op<1, PoolAttrs>) =>
  op({
    says,
    takes: { x: images },
    attrs: table,
    call: (x: Node, given: Options<T>): Node => {
      const { window, strides, padding = 'valid', ...rest } = given as Options<typeof attrs>
      const axes = { window: perSpatialAxis(window, x), strides: perSpatialAxis(strides ?? window, x) }
      return pool(x, { ...rest, ...axes, padding: padding as Padding })
    },
  })

/** What users call. */
export const poolingPublic = {
  maxPool: publicOf('The largest value of every window.', attrs, maxPool),
  averagePool: publicOf(
    'The mean of every window.',
    {
      ...attrs,
      countPadding: flag({ says: 'a border counts, as zeros; else only what is inside x does', default: false }),
    },
    averagePool,
  ),
} as const
