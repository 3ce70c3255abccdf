/** First values of weights, by Keras's names; a function of (seed, stream, shape) alone. */
import type { Options, OptionTable, Settled } from '../base/options.ts'
import { custom, number, settle } from '../base/options.ts'
import type { Draw } from '../base/random.ts'
import { normalAt, normals, uniforms } from '../base/random.ts'
import type { Shape } from '../graph/shape.ts'
import { sizeOf } from '../graph/shape.ts'

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

interface InitializerRow<T extends OptionTable> {
  readonly options: T
  readonly fill: (options: Settled<T>, shape: Shape, draw: Draw) => Float32Array
}
const define = <const T extends OptionTable>(options: T, fill: InitializerRow<T>['fill']): InitializerRow<T> => ({
  options,
  fill,
})

/** Uniform on [-limit, limit). */
const uniform = (limitOf: (fans: Fans) => number) =>
  define({}, (_, shape, draw) => {
    const limit = limitOf(fansOf(shape))
    return uniforms(draw, sizeOf(shape)).map((u) => (2 * u - 1) * limit)
  })

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
const cutNormal = (deviationOf: (fans: Fans) => number) =>
  define({}, (_, shape, draw) => {
    const scale = deviationOf(fansOf(shape)) / CUT_DEVIATION
    return cutNormals(draw, sizeOf(shape)).map((z) => z * scale)
  })

const full = (value: number, shape: Shape): Float32Array => new Float32Array(sizeOf(shape)).fill(value)

const normalOptions = {
  mean: number({ says: 'mean', default: 0 }),
  stddev: number({ says: 'standard deviation (before the cut)', min: 0, default: 0.05 }),
}

const initializers = {
  /** Glorot and Bengio 2010: uniform up to sqrt(6 / (fan in + fan out)). */
  glorotUniform: uniform(({ fanIn, fanOut }) => Math.sqrt(6 / (fanIn + fanOut))),
  glorotNormal: cutNormal(({ fanIn, fanOut }) => Math.sqrt(2 / (fanIn + fanOut))),
  /** He et al. 2015: variance 2 / fan in, for relu. */
  heUniform: uniform(({ fanIn }) => Math.sqrt(6 / fanIn)),
  heNormal: cutNormal(({ fanIn }) => Math.sqrt(2 / fanIn)),
  /** LeCun et al. 1998: variance 1 / fan in, for selu. */
  lecunUniform: uniform(({ fanIn }) => Math.sqrt(3 / fanIn)),
  lecunNormal: cutNormal(({ fanIn }) => Math.sqrt(1 / fanIn)),
  randomNormal: define(normalOptions, ({ mean, stddev }, shape, draw) =>
    normals(draw, sizeOf(shape)).map((z) => mean + z * stddev),
  ),
  truncatedNormal: define(normalOptions, ({ mean, stddev }, shape, draw) =>
    cutNormals(draw, sizeOf(shape)).map((z) => mean + z * stddev),
  ),
  randomUniform: define(
    { minval: number({ says: 'lower end', default: -0.05 }), maxval: number({ says: 'upper end', default: 0.05 }) },
    ({ minval, maxval }, shape, draw) => uniforms(draw, sizeOf(shape)).map((u) => minval + u * (maxval - minval)),
  ),
  zeros: define({}, (_, shape) => full(0, shape)),
  ones: define({}, (_, shape) => full(1, shape)),
  constant: define({ value: number({ says: 'the value', default: 0 }) }, ({ value }, shape) => full(value, shape)),
} as const

export type InitializerName = keyof typeof initializers
export const initializerNames = Object.keys(initializers) as InitializerName[]

type InitializerWithOptions = {
  [N in InitializerName]: { readonly type: N } & Options<(typeof initializers)[N]['options']>
}[InitializerName]

/** An initializer: its name, or `{ type, ...options }` such as `{ type: 'constant', value: 0.1 }`. Plain JSON. */
export type Initializer = InitializerName | InitializerWithOptions

const parts = (initializer: Initializer) => {
  const { type, ...options } = typeof initializer === 'string' ? { type: initializer } : initializer
  return { type, options }
}

/** The first values of a weight. */
export function initialize(initializer: Initializer, shape: Shape, draw: Draw): Float32Array {
  const { type, options } = parts(initializer)
  const row = initializers[type] as InitializerRow<OptionTable>
  return row.fill(settle(row.options, options, type), shape, draw)
}

function check(value: unknown): Initializer | undefined {
  const isWord = typeof value === 'string'
  if (!isWord && (typeof value !== 'object' || value === null)) return undefined
  const { type, options } = parts(value as Initializer)
  if (!initializerNames.includes(type)) return undefined
  settle(initializers[type].options as OptionTable, options, type) // says what is wrong with an option
  return value as Initializer
}

/** An initializer as an option of a layer. */
export const initializerOption = (says: string, value: Initializer) =>
  custom<Initializer>({
    says,
    accepts: `${initializerNames.map((n) => `'${n}'`).join(', ')} or { type, ...options }`,
    check,
    default: value,
  })
