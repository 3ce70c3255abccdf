/** Numbers scaled and shifted by numbers that are known beforehand. As the first layer of a model it is given bytes as they are. */
import { FoveaError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import { custom, either, flag, settle, text } from '../../base/options.ts'
import { isAbortSignal } from '../../base/realm.ts'
import type { Dataset } from '../../data/dataset.ts'
import { wantDataset } from '../../data/dataset.ts'
import type { PerChannel } from '../../data/preprocessing.ts'
import { perChannelForms } from '../../data/preprocessing.ts'
import { readingOptions } from '../../data/reader.ts'
import { statistics } from '../../data/statistics.ts'
import { asFloat32 } from '../../graph/dtype.ts'
import type { Node } from '../../graph/node.ts'
import { constant } from '../../graph/node.ts'
import type { Shape } from '../../graph/shape.ts'
import { sizeOf } from '../../graph/shape.ts'
import { add, mul, sub } from '../../ops/elementwise.ts'
import { axesOf, axesOption } from '../axes.ts'
import type { Layer } from '../layer.ts'
import { commonOptions, defineLayer } from '../layer.ts'

/** A number, or one for each place of `shape`, broadcast over a batch. */
function spread(values: PerChannel, shape: Shape, name: string): Node | number {
  if (typeof values === 'number') return values
  const count = sizeOf(shape)
  if (values.length === count) return constant(asFloat32(Float64Array.from(values), name), shape)
  const expected = `one number, or ${count}`
  throw new FoveaError('E_OPTION', { what: `'${name}' is wrong`, expected, got: `${values.length}` })
}

/**
 * x * scale + offset, by one number or one per channel. As the first layer it is given bytes as they are:
 * `rescaling({ scale: 1 / 127.5, offset: -1 })`.
 */
export const rescaling = defineLayer('rescaling', {
  className: 'Rescaling',
  countsUnbuilt: true,
  says: 'Every value times a scale, plus an offset.',
  takesBytes: true,
  options: {
    scale: either(perChannelForms, { says: 'factor, or one per channel' }),
    offset: either(perChannelForms, { says: 'added afterwards, or one per channel', default: 0 }),
  },
  forward: ([x], _, { scale, offset }) => {
    const channels = x.shape.slice(-1)
    return add(mul(x, spread(scale, channels, 'scale')), spread(offset, channels, 'offset'))
  },
})

/** Deviations below it count as it. */
const LEAST_DEVIATION = 1e-7

const given = {
  axis: axesOption('axes whose places have a mean and a variance each'),
  invert: flag({ says: 'undo it: times the deviation, plus the mean', default: false }),
}

/** Roots of variances, at least 1e-7. */
function deviationOf(variance: PerChannel): PerChannel {
  const root = (value: number): number => {
    if (value >= 0) return Math.max(Math.sqrt(value), LEAST_DEVIATION)
    throw new FoveaError('E_OPTION', { what: "'variance' is wrong", expected: 'numbers >= 0', got: `${value}` })
  }
  return typeof variance === 'number' ? root(variance) : variance.map(root)
}

const inverse = (deviation: PerChannel): PerChannel =>
  typeof deviation === 'number' ? 1 / deviation : deviation.map((value) => 1 / value)

const made = defineLayer('normalization', {
  className: 'Normalization',
  says: 'Every value less a mean, by a deviation: numbers that are given, or those of a dataset (`adapt`).',
  takesBytes: true,
  options: {
    mean: either(perChannelForms, { says: 'one number, or one for each place along the axes, row-major' }),
    variance: either(perChannelForms, { says: 'the same' }),
    ...given,
  },
  forward: ([x], _, { axis, mean, variance, invert }) => {
    const axes = axesOf(axis, x.shape.length)
    const shape = x.shape.map((n, at) => (axes.includes(at) ? n : 1))
    const own = spread(mean, shape, 'mean')
    const deviation = deviationOf(variance)
    if (invert) return add(mul(x, spread(deviation, shape, 'variance')), own)
    return mul(sub(x, own), spread(inverse(deviation), shape, 'variance'))
  },
})

const adaptTable = {
  ...given,
  ...commonOptions,
  input: text({ says: 'the input whose numbers are looked at; the only one when absent', optional: true }),
  ...readingOptions,
  signal: custom<AbortSignal>({
    says: 'stops the reading, which throws the reason of the signal',
    accepts: 'an AbortSignal',
    check: (value) => (isAbortSignal(value) ? value : undefined),
    optional: true,
  }),
}

/** Options of `normalization.adapt`. */
export type AdaptOptions = Options<typeof adaptTable>

/** The layer with the mean and variance of a dataset's input, as it is read for `evaluate`: bytes count as 0 to 255. */
async function adapt(data: Dataset, options: AdaptOptions = {}): Promise<Layer> {
  const where = 'normalization.adapt'
  wantDataset(data, where)
  const { input, workers, prefetch, signal, ...rest } = settle(adaptTable, options, where)
  const names = Object.keys(data.inputs)
  const field = input ?? names[0]
  if (!Object.hasOwn(data.inputs, field) || (input === undefined && names.length > 1)) {
    const facts = { expected: names.join(', '), got: input ?? 'none' }
    throw new FoveaError('E_OPTION', { what: "'input' must name one of the dataset's inputs", where, ...facts })
  }
  const axes = axesOf(rest.axis, data.inputs[field].shape.length + 1).map((axis) => axis - 1)
  const found = await statistics(data, { input: field, axes, workers, prefetch, signal })
  return made({ ...rest, ...found })
}

/**
 * Keras's Normalization: (x - mean) / sqrt(variance), by numbers that are given or that `adapt` finds in a dataset, one per
 * channel unless `axis` says more; `invert` undoes it. As the first layer it is given bytes as they are.
 */
export const normalization = Object.assign(made, { adapt })
