import { choice, number } from '../../base/options.ts'
import { filling } from './fill.ts'
import { zoom } from './geometry.ts'
import { defineTransform, pictureShape } from './transform.ts'

/** ImageDataGenerator's zoom_range. */
export const randomZoom = defineTransform({
  says: 'shows a part of the picture larger, or more than the picture smaller',
  options: {
    zoomFraction: number({
      says: 'what is shown is between 1 - this and 1 + this of the width and of the height',
      min: 0,
      max: 0.99,
    }),
    aspectRatio: choice(['free', 'kept'], {
      says: "'free': width and height are drawn apart, as Keras draws them; 'kept': one factor for both",
      default: 'free',
    }),
    ...filling,
  },
  prepare(spec, { zoomFraction, aspectRatio, ...filling }) {
    pictureShape(spec, 'randomZoom')
    return {
      spec,
      filling,
      matrix(draws) {
        const factor = (i: number): number => draws.uniform(i, 1 - zoomFraction, 1 + zoomFraction)
        return zoom(factor(0), factor(aspectRatio === 'kept' ? 0 : 1))
      },
    }
  },
})
