import { integer, list, number } from '../../base/options.ts'
import type { TypedArray } from '../../graph/dtype.ts'
import { resize } from '../image.ts'
import type { Rectangle } from './rectangle.ts'
import { areaFraction, rectangles } from './rectangle.ts'
import { bytePictureShape, defineTransform } from './transform.ts'

/** torchvision's RandomResizedCrop, with antialias; where no part fits, and at rest, the largest one in the middle. */
export const randomResizedCrop = defineTransform({
  says: 'cuts out a part of random size and shape, and resizes it',
  options: {
    size: list(integer({ says: 'a side', min: 1 }), { says: 'size of the result, [height, width]', length: 2 }),
    minAreaFraction: areaFraction('least area of the part, of the area of the picture', 0.08),
    maxAreaFraction: areaFraction('most of it', 1),
    maxAspectRatio: number({
      says: 'most that a part is higher than wide, or wider',
      min: 1,
      max: 100,
      default: 4 / 3,
    }),
  },
  prepare(spec, { size, ...bounds }) {
    const [height, width, channels] = bytePictureShape(spec, 'randomResizedCrop')
    const [rows, columns] = size
    const drawn = rectangles([height, width], [height, width], bounds, 'randomResizedCrop')
    const whole = middlePart([height, width], [rows, columns])
    const room = new Uint8Array(height * width * channels)
    return {
      spec: { ...spec, shape: [rows, columns, channels] },
      apply(from, into, draws) {
        const part = (draws && drawn(draws)) ?? whole
        const pixels = copyOf(from, part, { row: width * channels, channels, room })
        const image = { height: part.rows, width: part.columns, channels, pixels }
        into.set(resize(image, { to: [rows, columns], by: 'bilinear', antialias: true }).pixels)
      },
    }
  },
})

/** The largest part of the shape of the result, in the middle. */
function middlePart([height, width]: readonly number[], [tall, wide]: readonly number[]): Rectangle {
  const scale = Math.min(height / tall, width / wide)
  const [rows, columns] = [tall, wide].map((side) => Math.max(1, Math.floor(side * scale + 0.5)))
  return { rows, columns, top: (height - rows) >> 1, left: (width - columns) >> 1 }
}

function copyOf(
  from: TypedArray,
  { top, left, rows, columns }: Rectangle,
  { row, channels, room }: { row: number; channels: number; room: Uint8Array },
): Uint8Array {
  const wide = columns * channels
  for (let y = 0; y < rows; y++) {
    const at = (top + y) * row + left * channels
    room.set(from.subarray(at, at + wide), y * wide)
  }
  return room.subarray(0, rows * wide)
}
