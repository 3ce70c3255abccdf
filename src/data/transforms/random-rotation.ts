import { number } from '../../base/options.ts'
import { filling } from './fill.ts'
import { rotation } from './geometry.ts'
import { defineTransform, pictureShape } from './transform.ts'

/** ImageDataGenerator's rotation_range, torchvision's RandomRotation. */
export const randomRotation = defineTransform({
  says: 'turns pictures about their centre, to either side',
  options: {
    rotationDegrees: number({ says: 'most that is turned', min: 0, max: 180 }),
    ...filling,
  },
  prepare(spec, { rotationDegrees, ...filling }) {
    pictureShape(spec, 'randomRotation')
    return { spec, filling, matrix: (draws) => rotation(draws.uniform(0, -rotationDegrees, rotationDegrees)) }
  },
})
