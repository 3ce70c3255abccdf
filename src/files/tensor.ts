/** A tensor as it comes from a file or goes into one: the dtypes are those of the surface. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly dtype: 'float32' | 'int32' | 'uint8'
  readonly data: Float32Array | Int32Array | Uint8Array
}

/** Number of elements; beyond 2^53 - 1 it is no safe integer, however the product was rounded. */
export const countOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)
