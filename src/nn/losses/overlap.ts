/** Losses of overlap, for masks: what a sample's answer and target have in common, of all that they cover. */
import { number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { add, div, mul, neg, sigmoid, sub } from '../../ops/elementwise.ts'
import { sumOfSample, valuesLike } from '../per-sample.ts'
import { defineLoss, yesNoTargets } from './row.ts'

/** Keras's epsilon. */
const EPSILON = 1e-7

/** What is in both, in the answer alone, and in the target alone. */
function parts(logits: Node, target: Node) {
  const [inside, outside] = [sigmoid(logits), sigmoid(neg(logits))]
  const wanted = valuesLike(logits, target)
  return {
    both: sumOfSample(mul(wanted, inside)),
    tooMuch: sumOfSample(mul(sub(1, wanted), inside)),
    tooLittle: sumOfSample(mul(wanted, outside)),
  }
}

export const overlaps = {
  /** Milletari et al. 2016, with sums in place of sums of squares. */
  dice: defineLoss({
    says: 'One minus twice what answer and target share, of what both cover; for a mask with few places that are so.',
    ...yesNoTargets,
    options: {},
    head: 'sigmoid',
    perSample: (logits, target) => {
      const { both, tooMuch, tooLittle } = parts(logits, target)
      const twice = mul(both, 2)
      return sub(1, div(twice, add(add(twice, add(tooMuch, tooLittle)), EPSILON)))
    },
  }),
  /** Salehi et al. 2017. */
  tversky: defineLoss({
    says: 'One minus the overlap, with a weight for what the answer covers in vain and one for what it misses.',
    ...yesNoTargets,
    options: {
      alpha: number({ says: 'weight of what the answer covers in vain: false positives', min: 0, default: 0.5 }),
      beta: number({ says: 'weight of what the answer misses: false negatives', min: 0, default: 0.5 }),
    },
    head: 'sigmoid',
    perSample: (logits, target, { alpha, beta }) => {
      const { both, tooMuch, tooLittle } = parts(logits, target)
      const covered = add(add(both, add(mul(tooMuch, alpha), mul(tooLittle, beta))), EPSILON)
      return sub(1, div(both, covered))
    },
  }),
} as const
