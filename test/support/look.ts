/** What a decoder makes of a picture, in few numbers; runs in Node and in a page. */
interface Decoded {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}
export type Decode = (bytes: Uint8Array, name: string) => Promise<Decoded>
export type Read = (name: string) => Promise<Uint8Array>

export interface Look {
  /** Why it is refused: code and message. */
  readonly refused?: string
  /** Width, height and the means of 4 x 4 parts, as test/golden/pictures.py writes them. */
  readonly row?: readonly number[]
  /** All of a small picture. */
  readonly pixels?: readonly number[]
  /** Mean and largest distance from the picture beside it. */
  readonly apart?: readonly [mean: number, most: number]
}

export async function look(decode: Decode, read: Read, name: string, beside?: string): Promise<Look> {
  try {
    const picture = await decode(await read(name), name)
    const { width, height, pixels } = picture
    const row = [width, height, ...means(picture)]
    const truth = beside === undefined ? undefined : await decode(await read(beside), beside)
    return {
      row,
      ...(width * height <= 1600 && { pixels: Array.from(pixels) }),
      ...(truth && { apart: distance(pixels, truth.pixels) }),
    }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return { refused: `${code}: ${message}` }
  }
}

/** From and to of four parts, the first ones longer; fewer than four rows are all in each. */
function parts(length: number): [from: number, to: number][] {
  if (length < 4) return Array(4).fill([0, length])
  const starts = Array.from({ length: 5 }, (_, i) => i * Math.floor(length / 4) + Math.min(i, length % 4))
  return [0, 1, 2, 3].map((i) => [starts[i], starts[i + 1]])
}

function means({ width, height, pixels }: Decoded): number[] {
  return parts(height).flatMap(([top, bottom]) =>
    parts(width).flatMap(([left, right]) => {
      const sums = [0, 0, 0]
      for (let y = top; y < bottom; y++)
        for (let x = left; x < right; x++) for (let c = 0; c < 3; c++) sums[c] += pixels[(y * width + x) * 3 + c]
      return sums.map((sum) => sum / ((bottom - top) * (right - left)))
    }),
  )
}

function distance(a: Uint8Array, b: Uint8Array): [mean: number, most: number] {
  if (a.length !== b.length) return [Infinity, Infinity]
  let [sum, most] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs(a[i] - b[i])
    sum += apart
    most = Math.max(most, apart)
  }
  return [sum / a.length, most]
}
