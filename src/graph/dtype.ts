/** The types of numbers that cross the surface. Everything is computed in float32; uint8 holds pixels, int32 classes. */
export const dtypes = {
  float32: { array: Float32Array, bytes: 4 },
  int32: { array: Int32Array, bytes: 4 },
  uint8: { array: Uint8Array, bytes: 1 },
} as const

export type DType = keyof typeof dtypes

/** The typed array that holds numbers of each dtype. */
export interface Arrays {
  float32: Float32Array
  int32: Int32Array
  uint8: Uint8Array
}
export type TypedArray = Arrays[DType]

/** A shape with a dtype: all that is known of a tensor before it has values. */
export interface TensorSpec {
  readonly shape: readonly number[]
  readonly dtype: DType
}

/** A new array of zeros. */
export function zeros<D extends DType>(dtype: D, length: number): Arrays[D] {
  return new dtypes[dtype].array(length) as Arrays[D]
}

/** The dtype of a typed array, or undefined for any other value. */
export function dtypeOf(value: unknown): DType | undefined {
  return (Object.keys(dtypes) as DType[]).find((dtype) => value instanceof dtypes[dtype].array)
}
