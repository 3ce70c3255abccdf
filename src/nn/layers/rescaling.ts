import { number } from '../../base/options.ts'
import { add, mul } from '../../ops/elementwise.ts'
import { defineLayer } from '../layer.ts'

/** x * scale + offset. As the first layer it is given bytes as they are: `rescaling({ scale: 1 / 127.5, offset: -1 })`. */
export const rescaling = defineLayer('rescaling', {
  className: 'Rescaling',
  countsUnbuilt: true,
  says: 'Every value times a scale, plus an offset.',
  takesBytes: true,
  options: { scale: number({ says: 'factor' }), offset: number({ says: 'added afterwards', default: 0 }) },
  forward: ([x], _, { scale, offset }) => add(mul(x, scale), offset),
})
