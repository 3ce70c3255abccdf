/** First values of weights, by Keras's names; a function of (seed, stream, shape) alone. */
import { FoveaError } from '../base/errors.ts'
import type { Named, NamedEntry, Options, OptionTable, Settled } from '../base/options.ts'
import { choice, integer, named, number, settle, settleNamed, show } from '../base/options.ts'
import type { Draw } from '../base/random.ts'
import { normalAt, normals, stream, uniforms } from '../base/random.ts'
import { beyondFloat32 } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText, sizeOf, wantShape } from '../graph/shape.ts'
import { orthogonalMatrix } from './orthogonal.ts'

interface Fans {
  readonly fanIn: number
  readonly fanOut: number
}

/** Fans of a kernel [...window, in, out]: the window counts on both sides. */
function fansOf(shape: Shape): Fans {
  const window = sizeOf(shape.slice(0, -2))
  const [inputs, outputs] = [shape[shape.length - 2] ?? shape[0] ?? 1, shape[shape.length - 1] ?? 1]
  return { fanIn: window * inputs, fanOut: window * outputs }
}

export interface InitializerRow<T extends OptionTable = OptionTable> extends NamedEntry<T> {
  readonly fill: (options: Settled<T>, shape: Shape, draw: Draw, fanIn: number | undefined) => Float32Array
}
const define = <const T extends OptionTable>(
  says: string,
  options: T,
  fill: InitializerRow<T>['fill'],
): InitializerRow<T> => ({ says, options, fill })

/** Uniform on [-limit, limit). */
const uniformUpTo = (limit: number, shape: Shape, draw: Draw): Float32Array =>
  uniforms(draw, sizeOf(shape)).map((u) => (2 * u - 1) * limit)
const uniform = (says: string, limitOf: (fans: Fans) => number) =>
  define(says, {}, (_, shape, draw) => uniformUpTo(limitOf(fansOf(shape)), shape, draw))

/** Standard deviation of a standard normal cut off at 2. */
const CUT_DEVIATION = 0.8796256610342398

/** Normals; those beyond two standard deviations are drawn again, each from the next step of its own element. */
function cutNormals(draw: Draw, count: number): Float32Array {
  const result = normals(draw, count)
  for (let i = 0; i < count; i++) {
    for (let step = (draw.step ?? 0) + 1; Math.abs(result[i]) > 2; step++) result[i] = normalAt({ ...draw, step }, i)
  }
  return result
}

/** Normal, cut off at two deviations, with the deviation asked for after the cut (as Keras scales it). */
function cutNormalOf(deviation: number, shape: Shape, draw: Draw): Float32Array {
  const scale = deviation / CUT_DEVIATION
  return cutNormals(draw, sizeOf(shape)).map((z) => z * scale)
}
const cutNormal = (says: string, deviationOf: (fans: Fans) => number) =>
  define(says, {}, (_, shape, draw) => cutNormalOf(deviationOf(fansOf(shape)), shape, draw))

const full = (value: number, shape: Shape): Float32Array => new Float32Array(sizeOf(shape)).fill(value)

/** A weight as a matrix: [all axes but the last, the last]. */
const matrixShape = (shape: Shape): [number, number] => [sizeOf(shape.slice(0, -1)), shape[shape.length - 1]]

function wantAxes(isRight: boolean, where: string, expected: string, shape: Shape): void {
  if (isRight) return
  throw new FoveaError('E_SHAPE', { what: 'cannot fill this weight', where, expected, got: shapeText(shape) })
}

/** How each of Keras's distributions of variance `variance` is drawn. */
const distributions = {
  truncatedNormal: (variance: number, shape: Shape, draw: Draw) => cutNormalOf(Math.sqrt(variance), shape, draw),
  untruncatedNormal: (variance: number, shape: Shape, draw: Draw) =>
    normals(draw, sizeOf(shape)).map((z) => z * Math.sqrt(variance)),
  uniform: (variance: number, shape: Shape, draw: Draw) => uniformUpTo(Math.sqrt(3 * variance), shape, draw),
} as const
const distributionNames = Object.keys(distributions) as (keyof typeof distributions)[]

const fanModes = {
  fanIn: ({ fanIn }: Fans) => fanIn,
  fanOut: ({ fanOut }: Fans) => fanOut,
  fanAvg: ({ fanIn, fanOut }: Fans) => (fanIn + fanOut) / 2,
} as const
const fanModeNames = Object.keys(fanModes) as (keyof typeof fanModes)[]

const gain = number({ says: 'factor on all values', default: 1 })

const normalOptions = {
  mean: number({ says: 'mean', default: 0 }),
  stddev: number({ says: 'standard deviation (before the cut)', min: 0, default: 0.05 }),
}

/** What a layer says of a weight, or else the fan in of a kernel. */
function fanInOf(shape: Shape, said: number | undefined): number {
  if (said !== undefined) return said
  wantAxes(shape.length >= 2, 'torchDefault', 'two axes or more, or a layer that says the fan in', shape)
  return fansOf(shape).fanIn
}

export const initializers = {
  /** Glorot and Bengio 2010. */
  glorotUniform: uniform('Uniform up to sqrt(6 / (fan in + fan out)).', ({ fanIn, fanOut }) =>
    Math.sqrt(6 / (fanIn + fanOut)),
  ),
  glorotNormal: cutNormal('Truncated normal of variance 2 / (fan in + fan out).', ({ fanIn, fanOut }) =>
    Math.sqrt(2 / (fanIn + fanOut)),
  ),
  /** He et al. 2015. */
  heUniform: uniform('Uniform of variance 2 / fan in, for relu.', ({ fanIn }) => Math.sqrt(6 / fanIn)),
  heNormal: cutNormal('Truncated normal of variance 2 / fan in, for relu.', ({ fanIn }) => Math.sqrt(2 / fanIn)),
  /** LeCun et al. 1998. */
  lecunUniform: uniform('Uniform of variance 1 / fan in, for selu.', ({ fanIn }) => Math.sqrt(3 / fanIn)),
  lecunNormal: cutNormal('Truncated normal of variance 1 / fan in, for selu.', ({ fanIn }) => Math.sqrt(1 / fanIn)),
  /** What PyTorch's layers begin with, weights and biases alike: a bias goes by the fan in of its kernel. */
  torchDefault: define(
    "Uniform up to 1 / sqrt(fan in), PyTorch's default for kernels and biases.",
    {},
    (_, shape, draw, fanIn) => uniformUpTo(1 / Math.sqrt(fanInOf(shape, fanIn)), shape, draw),
  ),
  randomNormal: define('Normal.', normalOptions, ({ mean, stddev }, shape, draw) =>
    normals(draw, sizeOf(shape)).map((z) => mean + z * stddev),
  ),
  truncatedNormal: define(
    'Normal, values beyond two standard deviations drawn again.',
    normalOptions,
    ({ mean, stddev }, shape, draw) => cutNormals(draw, sizeOf(shape)).map((z) => mean + z * stddev),
  ),
  randomUniform: define(
    'Uniform from minval to maxval.',
    { minval: number({ says: 'lower end', default: -0.05 }), maxval: number({ says: 'upper end', default: 0.05 }) },
    ({ minval, maxval }, shape, draw) => uniforms(draw, sizeOf(shape)).map((u) => minval + u * (maxval - minval)),
  ),
  varianceScaling: define(
    'Variance scale / fan.',
    {
      scale: number({ says: 'the variance times the fan', min: 0, ends: 'open', default: 1 }),
      mode: choice(fanModeNames, { says: 'which fan divides it', default: 'fanIn' }),
      distribution: choice(distributionNames, { says: 'the distribution', default: 'truncatedNormal' }),
    },
    ({ scale, mode, distribution }, shape, draw) =>
      distributions[distribution](scale / fanModes[mode](fansOf(shape)), shape, draw),
  ),
  /** Saxe et al. 2014. */
  orthogonal: define(
    'gain times a matrix [all axes but the last, the last] of orthonormal columns, or rows.',
    { gain },
    ({ gain }, shape, draw) => {
      wantAxes(shape.length >= 2, 'orthogonal', 'two axes or more', shape)
      return Float32Array.from(orthogonalMatrix(matrixShape(shape), draw), (x) => gain * x)
    },
  ),
  identity: define('gain on the diagonal of a matrix, 0 elsewhere.', { gain }, ({ gain }, shape) => {
    wantAxes(shape.length === 2, 'identity', 'two axes', shape)
    return full(0, shape).map((_, i) => (i % (shape[1] + 1) === 0 && i < shape[1] * shape[1] ? gain : 0))
  }),
  zeros: define('All 0.', {}, (_, shape) => full(0, shape)),
  ones: define('All 1.', {}, (_, shape) => full(1, shape)),
  constant: define('One value throughout.', { value: number({ says: 'the value', default: 0 }) }, ({ value }, shape) =>
    full(value, shape),
  ),
} as const

export type InitializerName = keyof typeof initializers

/** An initializer: its name, or `{ type, ...options }` such as `{ type: 'constant', value: 0.1 }`. Plain JSON. */
export type Initializer = Named<typeof initializers>

/** The first values of a weight; `fanIn` as a WeightSpec has it. Throws E_NONFINITE where they are beyond float32. */
export function initialize(initializer: Initializer, shape: Shape, draw: Draw, fanIn?: number): Float32Array {
  const { type, options } = settleNamed(initializers, initializer, 'initializer')
  const values = (initializers[type] as unknown as InitializerRow).fill(options, shape, draw, fanIn)
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw beyondFloat32(`${values[i]} of ${show(initializer)}`)
  }
  return values
}

const valuesTable = {
  initializer: named(initializers, { says: 'what they are', what: 'initializer', default: 'glorotUniform' }),
  seed: integer({ says: 'seed', min: 0, default: 0 }),
  place: integer({ says: 'another number for every weight that has the same seed', min: 0, default: 0 }),
}

/** First values of a weight of your own, by the same initializers as those of layers. */
export function initialValues(shape: Shape, given: Options<typeof valuesTable> = {}): Float32Array {
  const { initializer, seed, place } = settle(valuesTable, given, 'initialValues')
  wantShape(shape, 'initialValues')
  return initialize(initializer, shape, { seed, stream: stream('initialize', place) })
}

/** An initializer as an option of a layer. */
export const initializerOption = (says: string, value: Initializer) =>
  named(initializers, { says, what: 'initializer', default: value })
