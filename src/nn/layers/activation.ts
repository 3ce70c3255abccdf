import { choice } from '../../base/options.ts'
import { activated, activationNames } from '../activations.ts'
import { defineLayer } from '../layer.ts'

/** A function of every value (softmax: of the last axis). */
export const activation = defineLayer('activation', {
  className: 'Activation',
  countsUnbuilt: true,
  says: 'A function of every value.',
  options: { activation: choice(activationNames, { says: 'the function' }) },
  forward: ([x], _, options) => activated(x, options.activation),
})
