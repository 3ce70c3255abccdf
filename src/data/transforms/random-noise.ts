import { number } from '../../base/options.ts'
import { defineTransform, recolour } from './transform.ts'

export const randomNoise = defineTransform({
  says: 'adds a normal number of its own to every byte',
  options: { standardDeviationBytes: number({ says: 'of the noise', min: 0, max: 255 }) },
  prepare(spec, { standardDeviationBytes }) {
    return recolour(spec, 'randomNoise', (from, into, draws) => {
      for (let i = 0; i < into.length; i++) {
        const noisy = Math.floor(from[i] + standardDeviationBytes * draws.normal(i) + 0.5)
        into[i] = Math.max(0, Math.min(255, noisy))
      }
    })
  },
})
