import { list } from '../../base/options.ts'
import { transpose } from '../../ops/movement.ts'
import { sampleAxis, wantAxes } from '../axes.ts'
import { defineLayer } from '../layer.ts'

/** The axes of a sample in another order: [10, 64] by `dims: [2, 1]` is [64, 10]. */
export const permute = defineLayer('permute', {
  className: 'Permute',
  says: 'The axes of a sample in another order.',
  takesBytes: 'passed on',
  options: { dims: list(sampleAxis, { says: 'which axis comes first, which second and so on', length: { min: 1 } }) },
  conflict: ({ dims }) =>
    new Set(dims).size < dims.length ? { what: "'dims' names an axis twice", got: `[${dims.join(', ')}]` } : undefined,
  forward: ([x], _, { dims }) => {
    wantAxes(dims, 'dims', x.shape.slice(1))
    return transpose(x, { permutation: [0, ...dims] })
  },
})
