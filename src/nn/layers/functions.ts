/** Layers that are a function and nothing else: x itself, or code of the user's. */
import { custom } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { defineLayer } from '../layer.ts'

/** x itself: a name for a place, or a branch that does nothing. */
export const identity = defineLayer('identity', {
  className: 'Identity',
  countsUnbuilt: true,
  says: 'x itself.',
  takesBytes: 'passed on',
  options: {},
  forward: ([x]) => x,
})

/**
 * A function of your own: from a node [n, ...sample] to a node [n, ...], by ops. It has gradients and runs on every engine. A model
 * with it cannot be saved or checkpointed (E_OPTION), since files hold no code; a layer of `defineLayer` can.
 */
export const lambda = defineLayer('lambda', {
  className: 'Lambda',
  says: 'A function of your own, by ops. A model with it cannot be saved: defineLayer makes a layer that can.',
  options: {
    function: custom({
      says: 'from a node [n, ...sample] to a node [n, ...]',
      accepts: 'a function of a node',
      check: (value) => (typeof value === 'function' ? (value as (x: Node) => Node) : undefined),
    }),
  },
  forward: ([x], _, options) => options.function(x),
})
