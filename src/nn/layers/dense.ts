import { FoveaError } from '../../base/errors.ts'
import { flag, integer } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { add } from '../../ops/elementwise.ts'
import { matmul } from '../../ops/matmul.ts'
import { activated, activationOption } from '../activations.ts'
import { defineLayer } from '../layer.ts'
import { activityRegularizerOption, penalised } from '../regularizers.ts'
import { weightOptions, weightSpec } from './weights.ts'

/** Sums over the last axis, plus the bias. */
function sums(x: Node, kernel: Node, bias: Node | undefined): Node {
  const y = matmul(x, kernel)
  return bias ? add(y, bias) : y
}

/** The same at every place of the axes between. */
function sumsOfLast(x: Node, kernel: Node, bias: Node | undefined): Node {
  if (x.shape.length === 2) return sums(x, kernel, bias)
  const [features, units] = kernel.shape
  const places = reshape(x, { shape: [-1, features] })
  return reshape(sums(places, kernel, bias), { shape: [...x.shape.slice(0, -1), units] })
}

/** Every output a weighted sum of all features: of the last axis, at every place of those before it. */
export const dense = defineLayer('dense', {
  className: 'Dense',
  says: 'Every output a weighted sum of all features, which are the last axis.',
  options: {
    units: integer({ says: 'number of outputs', min: 1 }),
    activation: activationOption,
    useBias: flag({ says: 'add one number per unit', default: true }),
    ...weightOptions('kernel', 'the kernel [features, units]', 'glorotUniform'),
    ...weightOptions('bias', 'the bias [units]', 'zeros'),
    activityRegularizer: activityRegularizerOption,
  },
  weights: ({ units, useBias, ...options }, shape) => {
    const features = shape[shape.length - 1] ?? 1
    return {
      kernel: weightSpec('kernel', [features, units], options),
      ...(useBias && { bias: weightSpec('bias', [units], options, features) }),
    }
  },
  forward: ([x], { kernel, bias }, { activation, activityRegularizer }) => {
    if (x.shape.length < 2) {
      const hint = 'give samples an axis of features, as in reshape({ targetShape: [1] })'
      throw new FoveaError('E_SHAPE', { what: 'needs [..., features]', got: '[]', hint })
    }
    return penalised(activated(sumsOfLast(x, kernel, bias), activation), activityRegularizer)
  },
})
