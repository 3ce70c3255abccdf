import { number } from '../../base/options.ts'
import { filling } from './fill.ts'
import { shear } from './geometry.ts'
import { defineTransform, pictureShape } from './transform.ts'

/** ImageDataGenerator's shear_range, which is in degrees. */
export const randomShear = defineTransform({
  says: 'slants pictures: their rows stay upright and their columns lean, to either side',
  options: {
    shearDegrees: number({ says: 'most that is slanted', min: 0, max: 89 }),
    ...filling,
  },
  prepare(spec, { shearDegrees, ...filling }) {
    pictureShape(spec, 'randomShear')
    return { spec, filling, matrix: (draws) => shear(draws.uniform(0, -shearDegrees, shearDegrees)) }
  },
})
