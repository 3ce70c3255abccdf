/** Rectangles drawn by their area and their shape, as torchvision draws them. */
import { FoveaError } from '../../base/errors.ts'
import { number } from '../../base/options.ts'
import type { Draws } from '../draws.ts'

export const areaFraction = (says: string, value: number) => number({ says, min: 0, max: 1, default: value })

interface Bounds {
  readonly minAreaFraction: number
  readonly maxAreaFraction: number
  readonly maxAspectRatio: number
}

export interface Rectangle {
  readonly top: number
  readonly left: number
  readonly rows: number
  readonly columns: number
}

/** Draws the numbers from 4 to 43: up to ten rectangles, until one has `most` [rows, columns] or fewer. */
export function rectangles(
  [height, width]: readonly number[],
  most: readonly [rows: number, columns: number],
  { minAreaFraction, maxAreaFraction, maxAspectRatio }: Bounds,
  where: string,
): (draws: Draws) => Rectangle | undefined {
  if (minAreaFraction > maxAreaFraction) {
    const [expected, got] = [`at most maxAreaFraction, ${maxAreaFraction}`, `${minAreaFraction}`]
    throw new FoveaError('E_OPTION', { what: 'minAreaFraction is too large', where, expected, got })
  }
  const longest = Math.log(maxAspectRatio)
  return (draws) => {
    for (let i = 4; i < 44; i += 4) {
      const area = height * width * draws.uniform(i, minAreaFraction, maxAreaFraction)
      // in steps, as hosts compute exponentials differently
      const ratio = Math.round(Math.exp(draws.uniform(i + 1, -longest, longest)) * 2 ** 24) / 2 ** 24
      const [rows, columns] = [Math.sqrt(area * ratio), Math.sqrt(area / ratio)].map(Math.round)
      if (rows === 0 || columns === 0 || rows > most[0] || columns > most[1]) continue
      const [top, left] = [draws.integer(i + 2, height - rows + 1), draws.integer(i + 3, width - columns + 1)]
      return { top, left, rows, columns }
    }
    return undefined
  }
}
