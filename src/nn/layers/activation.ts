/** Activations as layers, with their options: made of the rows of `activations`, so that a function is said once. */
import type { OptionTable } from '../../base/options.ts'
import { list, named } from '../../base/options.ts'
import { expression } from '../../ops/elementwise.ts'
import { argument, s } from '../../ops/scalar.ts'
import type { ActivationRow } from '../activations.ts'
import { activated, activations } from '../activations.ts'
import { sampleAxis, wantAxes } from '../axes.ts'
import { defineLayer } from '../layer.ts'
import { weightOptions, weightSpec } from './weights.ts'

/** A function of every value (softmax: of an axis). */
export const activation = defineLayer('activation', {
  className: 'Activation',
  countsUnbuilt: true,
  says: 'A function of every value.',
  options: { activation: named(activations, { says: 'the function', what: 'activation' }) },
  forward: ([x], _, options) => activated(x, options.activation),
})

/** The layer of a row: the word is the row's. */
const layerOf = <const T extends OptionTable>(type: string, className: string, row: ActivationRow<T>) =>
  defineLayer(type, {
    className,
    countsUnbuilt: true,
    says: row.says,
    options: row.options,
    ...(row.conflict && { conflict: row.conflict }),
    forward: ([x], _, options) => ({ output: row.of(x, options), preactivation: x }),
  })

/** max(x, 0); with options a slope below the threshold, and a largest value. */
export const relu = layerOf('relu', 'ReLU', activations.relu)
/** x above 0, negativeSlope x below; 0.2, as the activation has it (Keras's layer: 0.3, PyTorch: 0.01). */
export const leakyRelu = layerOf('leakyRelu', 'LeakyReLU', activations.leakyRelu)
/** x above 0, alpha (e^x - 1) below (Clevert et al. 2016). */
export const elu = layerOf('elu', 'ELU', activations.elu)
/** x above 0, alpha (e^(x / alpha) - 1) below (Barron 2017). */
export const celu = layerOf('celu', 'CELU', activations.celu)
/** exp(x) / sum(exp(x)) over an axis, the batch being axis 0. */
export const softmax = layerOf('softmax', 'Softmax', activations.softmax)
/** x / (1 + |x|). */
export const softsign = layerOf('softsign', 'Softsign', activations.softsign)
/** x scaled above 0, a scaled ELU below: what self-normalizing networks use (Klambauer et al. 2017). */
export const selu = layerOf('selu', 'SELU', activations.selu)
/** x kept within two bounds, -1 and 1 when absent. */
export const hardTanh = layerOf('hardTanh', 'HardTanh', activations.hardTanh)

const [value, slope] = [argument(0), argument(1)]
const isAbove = s.less(0, value)
const bent = s.select(isAbove, value, s.mul(slope, value))
const slopes = [s.select(isAbove, 1, slope), s.select(isAbove, 0, value)]

/**
 * He et al. 2015: x above 0, alpha x below, with an alpha that is learned. [...sample] has an alpha of that shape, or of size 1
 * along `sharedAxes`: `sharedAxes: [1, 2]` is one alpha per channel of an image. It begins at 0, as in Keras; the paper and
 * PyTorch begin at 0.25: `alphaInitializer: { type: 'constant', value: 0.25 }`.
 */
export const prelu = defineLayer('prelu', {
  className: 'PReLU',
  says: 'x above 0, alpha x below; alpha is learned.',
  options: {
    ...weightOptions('alpha', 'alpha [...sample], 1 along the shared axes', 'zeros'),
    sharedAxes: list(sampleAxis, { says: 'axes along which alpha is the same', default: [] }),
  },
  weights: ({ sharedAxes, ...options }, sample) => {
    wantAxes(sharedAxes, 'sharedAxes', sample)
    const shape = sample.map((n, i) => (sharedAxes.includes(i + 1) ? 1 : n))
    return { alpha: weightSpec('alpha', shape, options) }
  },
  forward: ([x], { alpha }) => ({ output: expression('prelu', [x, alpha], bent, slopes), preactivation: x }),
})
