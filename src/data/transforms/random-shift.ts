import { number } from '../../base/options.ts'
import { filling } from './fill.ts'
import { shift } from './geometry.ts'
import { defineTransform, pictureShape } from './transform.ts'

const fraction = (says: string) => number({ says, min: 0, max: 1, default: 0 })

/** ImageDataGenerator's width_shift_range and height_shift_range. */
export const randomShift = defineTransform({
  says: 'moves pictures by a part of their size, to either side',
  options: {
    widthFraction: fraction('most that is moved to the left or right, of the width'),
    heightFraction: fraction('most that is moved up or down, of the height'),
    ...filling,
  },
  prepare(spec, { widthFraction, heightFraction, ...filling }) {
    const [height, width] = pictureShape(spec, 'randomShift')
    const [across, down] = [widthFraction * width, heightFraction * height]
    return {
      spec,
      filling,
      matrix: (draws) => shift(draws.uniform(0, -across, across), draws.uniform(1, -down, down)),
    }
  },
})
