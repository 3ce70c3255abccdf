import { FoveaError } from '../../base/errors.ts'
import { integer } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { shapeText } from '../../graph/shape.ts'
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

/**
 * Joined element by element, the first two first. Along every axis of a sample sizes are equal, or 1: then the element is used
 * at all places, as one factor per channel [1, 1, C] is for [H, W, C].
 */
function joined(inputs: readonly [Node, ...Node[]], join: (a: Node, b: Node) => Node): Node {
  const [first, ...rest] = inputs
  const fits = first.shape.every(
    (_, axis) => new Set(inputs.map(({ shape }) => shape[axis]).filter((n) => n !== 1)).size < 2,
  )
  if (fits && rest.every(({ shape }) => shape.length === first.shape.length)) return rest.reduce(join, first)
  throw new FoveaError('E_SHAPE', {
    what: 'needs tensors of one shape, or of size 1 along some axes',
    got: inputs.map(({ shape }) => shapeText(shape.slice(1))).join(' and '),
    hint: 'one number per channel is [1, 1, C]: use keepDims in a global pooling, or reshape',
  })
}

type Join = (inputs: readonly [Node, ...Node[]]) => Node

/** A layer that joins tensors element by element; it has no options. */
const joining = (type: string, className: string, says: string, forward: Join) =>
  defineLayer(type, { className, says, inputs: 'several', options: {}, forward })

export const add = joining('add', 'Add', 'Sum of tensors, element by element.', (inputs) =>
  joined(inputs, elementwiseOps.add),
)

export const multiply = joining('multiply', 'Multiply', 'Product of tensors, element by element.', (inputs) =>
  joined(inputs, elementwiseOps.mul),
)

export const average = joining('average', 'Average', 'Mean of tensors, element by element.', (inputs) =>
  elementwiseOps.mul(joined(inputs, elementwiseOps.add), 1 / inputs.length),
)

/** At a tie the gradient goes to the first. */
export const maximum = joining('maximum', 'Maximum', 'Largest of tensors, element by element.', (inputs) =>
  joined(inputs, elementwiseOps.maximum),
)

/** The first tensor less the second. */
export const subtract = joining('subtract', 'Subtract', 'Difference of two tensors, element by element.', (inputs) => {
  if (inputs.length === 2) return joined(inputs, elementwiseOps.sub)
  throw new FoveaError('E_MODEL', { what: 'needs two tensors', got: `${inputs.length}` })
})
