import { FoveaError } from '../../base/errors.ts'
import { integer, list, number } from '../../base/options.ts'
import { blurOf } from './blur.ts'
import { defineTransform, pictureShape, recolour } from './transform.ts'

/** torchvision's GaussianBlur. */
export const randomBlur = defineTransform({
  says: 'blurs pictures by a Gaussian window',
  options: {
    kernelSize: integer({ says: 'side of the window in pixels, an odd number', min: 1, max: 255 }),
    sigmaPixels: list(number({ says: 'a standard deviation', min: 0.01, max: 1000 }), {
      says: 'least and most standard deviation of the window',
      length: 2,
      default: [0.1, 2],
    }),
  },
  prepare(spec, { kernelSize, sigmaPixels: [least, most] }) {
    if (kernelSize % 2 === 0 || least > most) {
      const expected = 'an odd kernelSize, and sigmaPixels with the lesser first'
      const got = `${kernelSize} and [${least}, ${most}]`
      throw new FoveaError('E_OPTION', { what: 'no such window', where: 'randomBlur', expected, got })
    }
    const blur = blurOf(pictureShape(spec, 'randomBlur'), kernelSize)
    return recolour(spec, 'randomBlur', (from, into, draws) => blur(from, into, draws.uniform(0, least, most)))
  },
})
