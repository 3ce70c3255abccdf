/** How layers of products end: the bias, the activation, the penalty on what comes out. */
import type { Node } from '../../graph/node.ts'
import { add } from '../../ops/elementwise.ts'
import type { Activation } from '../activations.ts'
import { activated } from '../activations.ts'
import type { Forwarded } from '../layer.ts'
import type { Regularizer } from '../regularizers.ts'
import { penalised } from '../regularizers.ts'

interface EndingOptions {
  readonly activation: Activation
  readonly activityRegularizer: Regularizer | undefined
}

/** `bias` is undefined where the layer has none. */
export const ended = (
  y: Node,
  bias: Node | undefined,
  { activation, activityRegularizer }: EndingOptions,
): Forwarded<never> => penalised(activated(bias ? add(y, bias) : y, activation), activityRegularizer)
