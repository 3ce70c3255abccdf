import { choice, number } from '../../base/options.ts'
import { zoom } from './geometry.ts'
import { defineTransform, pictureShape } from './transform.ts'

/** Keras's RandomFlip; torchvision's RandomHorizontalFlip and RandomVerticalFlip. */
export const randomFlip = defineTransform({
  says: 'mirrors pictures; digits and letters change their meaning by it',
  options: {
    mode: choice(['horizontal', 'vertical', 'horizontal_and_vertical'], {
      says: 'swaps left and right, or top and bottom; with both, each is drawn separately',
    }),
    probability: number({ says: 'probability of a flip', min: 0, max: 1, default: 0.5 }),
  },
  prepare(spec, { mode, probability }) {
    pictureShape(spec, 'randomFlip')
    return {
      spec,
      matrix(draws) {
        const side = (axis: 'horizontal' | 'vertical', i: number): number =>
          mode.includes(axis) && draws.uniform(i) < probability ? -1 : 1
        return zoom(side('horizontal', 0), side('vertical', 1))
      },
    }
  },
})
