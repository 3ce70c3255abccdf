import { choice, number } from '../../base/options.ts'
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
    const [height, width, channels] = pictureShape(spec, 'randomFlip')
    return {
      spec,
      apply(from, into, draws) {
        const flips = (axis: 'horizontal' | 'vertical', i: number): boolean =>
          draws !== undefined && mode.includes(axis) && draws.uniform(i) < probability
        const [mirrored, upsideDown] = [flips('horizontal', 0), flips('vertical', 1)]
        if (!mirrored && !upsideDown) return into.set(from)
        const row = width * channels
        for (let y = 0, out = 0; y < height; y++) {
          const start = (upsideDown ? height - 1 - y : y) * row
          if (!mirrored) {
            into.set(from.subarray(start, start + row), out)
            out += row
            continue
          }
          for (let at = start + row - channels; at >= start; at -= channels) {
            for (let c = 0; c < channels; c++, out++) into[out] = from[at + c]
          }
        }
      },
    }
  },
})
