import { FoveaError } from '../../base/errors.ts'
import { choice, integer, list, number } from '../../base/options.ts'
import { shapeText } from '../../graph/shape.ts'
import { fillModes, sourcesAlong } from './fill.ts'
import { defineTransform, pictureShape } from './transform.ts'

/** torchvision's RandomCrop: padding first, then a part at a place of its own for every sample. */
export const randomCrop = defineTransform({
  says: 'cuts a part out at random; with padding and no size, pictures move by up to the padding',
  options: {
    size: list(integer({ says: 'a side', min: 1 }), {
      says: "size of the part, [height, width]; the picture's own when absent",
      length: 2,
      optional: true,
    }),
    padding: integer({ says: 'pixels around the picture before the part is cut out', min: 0, default: 0 }),
    fillMode: choice(fillModes, { says: 'what the padding holds', default: 'constant' }),
    fillValue: number({ says: "value of the padding, for fillMode 'constant'", default: 0 }),
  },
  prepare(spec, { size, padding, fillMode, fillValue }) {
    const [height, width, channels] = pictureShape(spec, 'randomCrop')
    const [rows, columns] = size ?? [height, width]
    const most = [height + 2 * padding, width + 2 * padding]
    if (rows > most[0] || columns > most[1]) {
      throw new FoveaError('E_SHAPE', {
        what: 'the part is larger than the picture with its padding',
        where: 'randomCrop',
        expected: `at most ${shapeText(most)}`,
        got: shapeText([rows, columns]),
        hint: 'give more padding or a smaller size',
      })
    }
    const [ys, xs] = [height, width].map((length) => sourcesAlong(length, padding, fillMode))
    return {
      spec: { ...spec, shape: [rows, columns, channels] },
      apply(from, into, draws) {
        const top = draws ? draws.integer(0, most[0] - rows + 1) : (most[0] - rows) >> 1
        const left = draws ? draws.integer(1, most[1] - columns + 1) : (most[1] - columns) >> 1
        // the columns from `first` to `end` are in the picture, side by side: they are copied at once
        const first = Math.min(Math.max(padding - left, 0), columns)
        const end = Math.max(first, Math.min(padding + width - left, columns))
        const border = (row: number, out: number, x: number, until: number): void => {
          for (; x < until; x++) {
            const at = (row * width + xs[left + x]) * channels
            for (let c = 0; c < channels; c++)
              into[out + x * channels + c] = xs[left + x] < 0 ? fillValue : from[at + c]
          }
        }
        for (let y = 0; y < rows; y++) {
          const row = ys[top + y]
          const out = y * columns * channels
          if (row < 0) {
            into.fill(fillValue, out, out + columns * channels)
            continue
          }
          border(row, out, 0, first)
          const at = (row * width + left + first - padding) * channels
          into.set(from.subarray(at, at + (end - first) * channels), out + first * channels)
          border(row, out, end, columns)
        }
      },
    }
  },
})
