import { named } from '../../base/options.ts'
import { activated, activations } from '../activations.ts'
import { defineLayer } from '../layer.ts'

/** A function of every value (softmax: of an axis). */
export const activation = defineLayer('activation', {
  className: 'Activation',
  countsUnbuilt: true,
  says: 'A function of every value.',
  options: { activation: named(activations, { says: 'the function', what: 'activation' }) },
  forward: ([x], _, options) => activated(x, options.activation),
})
