import { FoveaError } from '../../base/errors.ts'
import { integer, number } from '../../base/options.ts'
import { defineTransform, pictureShape, recolour } from './transform.ts'

const fraction = (says: string, value: number) => number({ says, min: 0, max: 1, default: value })

/** torchvision's RandomErasing (Zhong et al. 2017): up to ten rectangles are tried, until one fits. */
export const randomErasing = defineTransform({
  says: 'fills a rectangle of the picture',
  options: {
    probability: fraction('probability of it', 0.5),
    minAreaFraction: fraction('least area of the rectangle, of the area of the picture', 0.02),
    maxAreaFraction: fraction('most of it', 0.33),
    maxAspectRatio: number({
      says: 'most that a rectangle is longer than wide, or wider',
      min: 1,
      max: 100,
      default: 3.3,
    }),
    fillValue: integer({ says: 'what it is filled with', min: 0, max: 255, default: 0 }),
  },
  prepare(spec, { probability, minAreaFraction, maxAreaFraction, maxAspectRatio, fillValue }) {
    const [height, width, channels] = pictureShape(spec, 'randomErasing')
    if (minAreaFraction > maxAreaFraction) {
      const [expected, got] = [`at most maxAreaFraction, ${maxAreaFraction}`, `${minAreaFraction}`]
      throw new FoveaError('E_OPTION', { what: 'minAreaFraction is too large', where: 'randomErasing', expected, got })
    }
    const most = Math.log(maxAspectRatio)
    return recolour(spec, 'randomErasing', (from, into, draws) => {
      into.set(from)
      if (draws.uniform(0) >= probability) return
      for (let i = 4; i < 44; i += 4) {
        const area = height * width * draws.uniform(i, minAreaFraction, maxAreaFraction)
        // in steps, as hosts compute exponentials differently
        const ratio = Math.round(Math.exp(draws.uniform(i + 1, -most, most)) * 2 ** 24) / 2 ** 24
        const [rows, columns] = [Math.sqrt(area * ratio), Math.sqrt(area / ratio)].map(Math.round)
        if (rows >= height || columns >= width) continue
        const [top, left] = [draws.integer(i + 2, height - rows + 1), draws.integer(i + 3, width - columns + 1)]
        for (let y = top; y < top + rows; y++) {
          const at = (y * width + left) * channels
          into.fill(fillValue, at, at + columns * channels)
        }
        return
      }
    })
  },
})
