/**
 * What moves the places of a picture, as matrices. A matrix takes a place of the result to the place of the picture that it
 * shows, both [x, y, 1] from the centre of the picture, in pixels; the third number of what it gives divides the others.
 */

/** Nine numbers, row-major. */
export type Matrix = readonly number[]

export const identity: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1]

/** The matrix of transforms that are done one after the other, the first at the left. */
export function product(a: Matrix, b: Matrix): Matrix {
  const row = (i: number): number[] =>
    [0, 1, 2].map((j) => a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j])
  return [...row(0), ...row(1), ...row(2)]
}

/** Sine and cosine in steps of 2^-24: their last bits differ between hosts, and all that is computed of them is exact arithmetic. */
function sineAndCosine(degrees: number): readonly [number, number] {
  const radians = (degrees * Math.PI) / 180
  return [Math.round(Math.sin(radians) * 2 ** 24) / 2 ** 24, Math.round(Math.cos(radians) * 2 ** 24) / 2 ** 24]
}

/** Keras's theta. */
export function rotation(degrees: number): Matrix {
  const [sine, cosine] = sineAndCosine(degrees)
  return [cosine, sine, 0, -sine, cosine, 0, 0, 0, 1]
}

/** Keras's ty and tx: the picture goes to the left by `x`, and up by `y`. */
export const shift = (x: number, y: number): Matrix => [1, 0, x, 0, 1, y, 0, 0, 1]

/** Keras's zy and zx: a factor below 1 shows a part, larger. */
export const zoom = (x: number, y: number): Matrix => [x, 0, 0, 0, y, 0, 0, 0, 1]

/** Keras's shear. */
export function shear(degrees: number): Matrix {
  const [sine, cosine] = sineAndCosine(degrees)
  return [cosine, 0, 0, -sine, 1, 0, 0, 0, 1]
}

export type Corners = readonly (readonly [x: number, y: number])[]

/**
 * torchvision's perspective: the corners of a picture of this size come to lie at `corners`, clockwise from the upper left.
 * Its corners are at 0 and size - 1 where the middle of the first pixel is at 1/2, and so are ours.
 */
export function perspective([height, width]: readonly [number, number], corners: Corners): Matrix {
  const [right, bottom] = [width - 1, height - 1]
  const own: Corners = [[0, 0], [right, 0], [right, bottom], [0, bottom]] // biome-ignore format: a line of corners
  const equations = corners.flatMap(([x, y], i) => {
    const [u, v] = own[i]
    return [
      [x, y, 1, 0, 0, 0, -u * x, -u * y, u],
      [0, 0, 0, x, y, 1, -v * x, -v * y, v],
    ]
  })
  return product(product(shift(-width / 2, -height / 2), [...solve(equations), 1]), shift(width / 2, height / 2))
}

/** Gauss's elimination; the last column is the right side. */
function solve(rows: number[][]): number[] {
  for (let k = 0; k < rows.length; k++) {
    let best = k
    for (let i = k + 1; i < rows.length; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i
    ;[rows[k], rows[best]] = [rows[best], rows[k]]
    for (const row of rows) {
      if (row === rows[k]) continue
      const factor = row[k] / rows[k][k]
      for (let j = k; j < row.length; j++) row[j] -= factor * rows[k][j]
    }
  }
  return rows.map((row, k) => row[rows.length] / row[k])
}
