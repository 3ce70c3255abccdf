import { FoveaError } from '../../base/errors.ts'
import { either } from '../../base/options.ts'
import { withinFloat32 } from '../../graph/dtype.ts'
import { shapeText } from '../../graph/shape.ts'
import type { PerChannel } from '../preprocessing.ts'
import { perChannelForms } from '../preprocessing.ts'
import { defineTransform } from './transform.ts'

/** Keras's Rescaling: numbers x become x * scale + offset in float32. */
export const rescale = defineTransform({
  says: 'makes float32 of numbers: x * scale + offset',
  options: {
    scale: either(perChannelForms, { says: 'factor, such as 1/255, or one per channel' }),
    offset: either(perChannelForms, { says: 'added after that', default: 0 }),
  },
  prepare({ shape }, { scale, offset }) {
    const channels = shape.at(-1) ?? 1
    const [scales, offsets] = [scale, offset].map((numbers) => {
      for (const number of [numbers].flat()) withinFloat32(number, 'rescale')
      if (typeof numbers === 'number') return new Float64Array(channels).fill(numbers)
      if (numbers.length === channels) return Float64Array.from(numbers)
      throw new FoveaError('E_SHAPE', {
        what: 'needs one number per channel',
        where: 'rescale',
        expected: `${channels} for samples ${shapeText(shape)}`,
        got: `${numbers.length}`,
      })
    })
    return {
      spec: { shape, dtype: 'float32' },
      apply(from, into) {
        for (let i = 0, c = 0; i < into.length; i++) {
          into[i] = from[i] * scales[c] + offsets[c]
          if (++c === channels) c = 0
        }
      },
    }
  },
  preprocessing(before, { scale, offset }) {
    const { scale: first = 1, offset: shift = 0 } = before
    const scaled = perChannelOf(first, scale, (a, b) => a * b)
    const shifted = perChannelOf(
      perChannelOf(shift, scale, (a, b) => a * b),
      offset,
      (a, b) => a + b,
    )
    return { ...before, scale: scaled, offset: shifted }
  },
})

/** A number of two: one for all channels, or one each. */
function perChannelOf(a: PerChannel, b: PerChannel, f: (a: number, b: number) => number): PerChannel {
  if (typeof a === 'number') return typeof b === 'number' ? f(a, b) : b.map((value) => f(a, value))
  return a.map((value, i) => f(value, typeof b === 'number' ? b : b[i]))
}
