import { integer, number } from '../../base/options.ts'
import { areaFraction, rectangles } from './rectangle.ts'
import { defineTransform, pictureShape, recolour } from './transform.ts'

/** torchvision's RandomErasing (Zhong et al. 2017): always less than the whole width and the whole height. */
export const randomErasing = defineTransform({
  says: 'fills a rectangle of the picture',
  options: {
    probability: number({ says: 'probability of it', min: 0, max: 1, default: 0.5 }),
    minAreaFraction: areaFraction('least area of the rectangle, of the area of the picture', 0.02),
    maxAreaFraction: areaFraction('most of it', 0.33),
    maxAspectRatio: number({
      says: 'most that a rectangle is higher than wide, or wider',
      min: 1,
      max: 100,
      default: 3.3,
    }),
    fillValue: integer({ says: 'what it is filled with', min: 0, max: 255, default: 0 }),
  },
  prepare(spec, { probability, fillValue, ...bounds }) {
    const [height, width, channels] = pictureShape(spec, 'randomErasing')
    const rectangle = rectangles([height, width], [height - 1, width - 1], bounds, 'randomErasing')
    return recolour(spec, 'randomErasing', (from, into, draws) => {
      into.set(from)
      const erased = draws.uniform(0) < probability ? rectangle(draws) : undefined
      if (!erased) return
      for (let y = erased.top; y < erased.top + erased.rows; y++) {
        const at = (y * width + erased.left) * channels
        into.fill(fillValue, at, at + erased.columns * channels)
      }
    })
  },
})
