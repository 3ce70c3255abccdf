import { number } from '../../base/options.ts'
import { filling } from './fill.ts'
import { identity, perspective } from './geometry.ts'
import { defineTransform, pictureShape } from './transform.ts'

/** torchvision's RandomPerspective; its corners are whole pixels, as there. */
export const randomPerspective = defineTransform({
  says: 'looks at pictures from aside: every corner moves inwards by an amount of its own',
  options: {
    distortionFraction: number({
      says: 'most that a corner moves, of half the width and half the height',
      min: 0,
      max: 0.95,
      default: 0.5,
    }),
    probability: number({ says: 'probability that a picture is changed', min: 0, max: 1, default: 0.5 }),
    ...filling,
  },
  prepare(spec, { distortionFraction, probability, ...filling }) {
    const [height, width] = pictureShape(spec, 'randomPerspective')
    const [across, down] = [width, height].map((side) => Math.floor(distortionFraction * (side >> 1)) + 1)
    return {
      spec,
      filling,
      matrix(draws) {
        if (draws.uniform(0) >= probability) return identity
        const [left, top] = [(i: number) => draws.integer(i, across), (i: number) => draws.integer(i, down)]
        const [right, bottom] = [(i: number) => width - 1 - left(i), (i: number) => height - 1 - top(i)]
        return perspective(
          [height, width],
          [
            [left(1), top(2)],
            [right(3), top(4)],
            [right(5), bottom(6)],
            [left(7), bottom(8)],
          ],
        )
      },
    }
  },
})
