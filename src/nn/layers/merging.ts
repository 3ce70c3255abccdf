import { FoveaError } from '../../base/errors.ts'
import { integer } from '../../base/options.ts'
import { sameShape } from '../../graph/shape.ts'
import { add as addNodes } from '../../ops/elementwise.ts'
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

/** Element by element sum. */
export const add = defineLayer('add', {
  className: 'Add',
  says: 'Sum of tensors, element by element.',
  inputs: 'several',
  options: {},
  forward: (inputs) => {
    const [first, ...rest] = inputs
    for (const x of rest) {
      if (sameShape(x.shape, first.shape)) continue
      const shapes = inputs.map(({ shape }) => `[${shape.slice(1).join(', ')}]`).join(' and ')
      throw new FoveaError('E_SHAPE', { what: 'wants tensors of one shape', got: shapes })
    }
    return rest.reduce((sum, x) => addNodes(sum, x), first)
  },
})
