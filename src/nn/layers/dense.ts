import { FoveaError } from '../../base/errors.ts'
import { flag, integer } from '../../base/options.ts'
import { add } from '../../ops/elementwise.ts'
import { matmul } from '../../ops/matmul.ts'
import { activationOption, activations } from '../activations.ts'
import { initializerOption } from '../initializers.ts'
import { defineLayer } from '../layer.ts'
import { regularizerOption } from '../regularizers.ts'

/** Every output a weighted sum of all features. */
export const dense = defineLayer('dense', {
  className: 'Dense',
  says: 'Every output a weighted sum of all features.',
  options: {
    units: integer({ says: 'number of outputs', min: 1 }),
    activation: activationOption,
    useBias: flag({ says: 'add one number per unit', default: true }),
    kernelInitializer: initializerOption('first values of the kernel [features, units]', 'glorotUniform'),
    biasInitializer: initializerOption('first values of the bias [units]', 'zeros'),
    kernelRegularizer: regularizerOption('penalty on the kernel'),
    biasRegularizer: regularizerOption('penalty on the bias'),
  },
  weights: ({ units, useBias, ...options }, shape) => ({
    kernel: {
      shape: [shape[0] ?? 1, units],
      initializer: options.kernelInitializer,
      regularizer: options.kernelRegularizer,
    },
    ...(useBias && {
      bias: { shape: [units], initializer: options.biasInitializer, regularizer: options.biasRegularizer },
    }),
  }),
  forward: ([x], { kernel, bias }, { activation }) => {
    if (x.shape.length !== 2) {
      throw new FoveaError('E_SHAPE', {
        what: 'wants [features]',
        got: `[${x.shape.slice(1).join(', ')}]`,
        hint: 'put flatten() before it',
      })
    }
    const y = matmul(x, kernel)
    return activations[activation](bias ? add(y, bias) : y)
  },
})
