/** A layer of one's own that holds any value `v` as an option, whatever a file can say of it. */
import { defineLayer, options } from '../../src/index.ts'

export const held = defineLayer('held', {
  className: 'Held',
  says: 'Holds anything.',
  options: { v: options.custom<unknown>({ says: 'anything', accepts: 'anything', check: (v) => v }) },
  forward: ([y]) => y,
})
