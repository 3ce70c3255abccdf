import { FoveaError } from '../../base/errors.ts'
import { integer } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { sameShape, shapeText } from '../../graph/shape.ts'
import { elementwiseOps } from '../../ops/elementwise.ts'
import { concat } from '../../ops/movement.ts'
import { defineLayer } from '../layer.ts'

/** Tensors one after the other along an axis. */
export const concatenate = defineLayer('concatenate', {
  className: 'Concatenate',
  says: 'Tensors one after the other along an axis.',
  inputs: 'several',
  options: {
    axis: integer({
      says: 'axis of one sample counted from the end (-1: channels), or from the front with the batch as 0',
      default: -1,
    }),
  },
  forward: (inputs, _, { axis }) => {
    if (axis === 0) throw new FoveaError('E_OPTION', { what: "'axis' 0 is the batch", expected: '-1, or 1 and more' })
    return concat(inputs, { axis })
  },
})

/** All tensors must have one shape; they are joined element by element, the first two first. */
function joined(inputs: readonly [Node, ...Node[]], join: (a: Node, b: Node) => Node): Node {
  const [first, ...rest] = inputs
  for (const x of rest) {
    if (sameShape(x.shape, first.shape)) continue
    const shapes = inputs.map(({ shape }) => shapeText(shape.slice(1))).join(' and ')
    throw new FoveaError('E_SHAPE', { what: 'wants tensors of one shape', got: shapes })
  }
  return rest.reduce(join, first)
}

/** Element by element sum. */
export const add = defineLayer('add', {
  className: 'Add',
  says: 'Sum of tensors, element by element.',
  inputs: 'several',
  options: {},
  forward: (inputs) => joined(inputs, elementwiseOps.add),
})

/** Element by element product. */
export const multiply = defineLayer('multiply', {
  className: 'Multiply',
  says: 'Product of tensors, element by element.',
  inputs: 'several',
  options: {},
  forward: (inputs) => joined(inputs, elementwiseOps.mul),
})

/** Element by element mean. */
export const average = defineLayer('average', {
  className: 'Average',
  says: 'Mean of tensors, element by element.',
  inputs: 'several',
  options: {},
  forward: (inputs) => elementwiseOps.mul(joined(inputs, elementwiseOps.add), 1 / inputs.length),
})

/** Element by element maximum; at a tie the gradient goes to the first. */
export const maximum = defineLayer('maximum', {
  className: 'Maximum',
  says: 'Largest of tensors, element by element.',
  inputs: 'several',
  options: {},
  forward: (inputs) => joined(inputs, elementwiseOps.maximum),
})

/** The first tensor less the second. */
export const subtract = defineLayer('subtract', {
  className: 'Subtract',
  says: 'Difference of two tensors, element by element.',
  inputs: 'several',
  options: {},
  forward: (inputs) => {
    if (inputs.length === 2) return joined(inputs, elementwiseOps.sub)
    throw new FoveaError('E_MODEL', { what: 'wants two tensors', got: `${inputs.length}` })
  },
})
