/** Random orthogonal matrices: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning" (2014). */
import type { Draw } from '../base/random.ts'
import { normals } from '../base/random.ts'

/**
 * A matrix [rows, columns], row by row, of orthonormal columns, or rows where these are fewer: the Q of a matrix of
 * normals, by Householder's reflections in float64. Signs are such that R's diagonal is positive, which makes every
 * orthogonal matrix equally likely (Mezzadri 2007). Takes about 4 * rows * columns * min(rows, columns) operations.
 */
export function orthogonalMatrix([rows, columns]: readonly [number, number], draw: Draw): Float64Array {
  const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)]
  const drawn = normals(draw, long * short) // [long, short]
  const reflectors = Array.from({ length: short }, (_, j) =>
    Float64Array.from({ length: long }, (_, i) => drawn[i * short + j]),
  )
  const signs = reflectors.map((column, k) => {
    for (let j = 0; j < k; j++) reflect(column, reflectors[j], j)
    return toReflector(column, k)
  })
  const result = new Float64Array(rows * columns)
  const [along, across] = rows >= columns ? [columns, 1] : [1, columns]
  for (let j = 0; j < short; j++) {
    const column = new Float64Array(long)
    column[j] = signs[j]
    for (let k = j; k >= 0; k--) reflect(column, reflectors[k], k)
    for (let i = 0; i < long; i++) result[i * along + j * across] = column[i]
  }
  return result
}

/** x - v (v . x), from element `from` on; v is that of `toReflector`. */
function reflect(x: Float64Array, v: Float64Array, from: number): void {
  let dot = 0
  for (let i = from; i < x.length; i++) dot += v[i] * x[i]
  for (let i = from; i < x.length; i++) x[i] -= dot * v[i]
}

/**
 * Makes of a column the v, of length sqrt(2), whose reflection takes its elements from `at` on to the axis `at`.
 * Returns the sign of the element of R that is left there.
 */
function toReflector(column: Float64Array, at: number): number {
  let squares = 0
  for (let i = at; i < column.length; i++) squares += column[i] * column[i]
  const sign = column[at] < 0 ? 1 : -1 // away from the column: no cancellation
  const before = column[at]
  column[at] -= sign * Math.sqrt(squares)
  const length = squares - before * before + column[at] * column[at]
  const scale = length > 0 ? Math.sqrt(2 / length) : 0 // a column of zeros stays where it is
  for (let i = at; i < column.length; i++) column[i] *= scale
  column.fill(0, 0, at)
  return sign
}
