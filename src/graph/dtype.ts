/** The types of numbers: those that cross the surface, and the one that engines may store values in besides. */

import { FoveaError } from '../base/errors.ts'
import { arrayKind } from '../base/realm.ts'

/** Everything is computed in float32; uint8 holds pixels, int32 classes; bfloat16 stays inside programs. */
export const dtypes = {
  float32: { array: Float32Array, bytes: 4 },
  int32: { array: Int32Array, bytes: 4 },
  uint8: { array: Uint8Array, bytes: 1 },
  bfloat16: { array: Uint16Array, bytes: 2 },
} as const

/** What a value inside a program may be stored as. */
export type StorageDType = keyof typeof dtypes
/** What inputs, variables, constants and results are. */
export type DType = Exclude<StorageDType, 'bfloat16'>
export type FloatDType = 'float32' | 'bfloat16'

const surfaceDTypes: readonly DType[] = ['float32', 'int32', 'uint8']

/** The typed array that holds numbers of each dtype. */
export interface Arrays {
  float32: Float32Array
  int32: Int32Array
  uint8: Uint8Array
}
export type TypedArray = Arrays[DType]

/** A shape with a dtype: all that is known of a value before it has numbers. */
export interface StoredSpec {
  readonly shape: readonly number[]
  readonly dtype: StorageDType
}

/** The same of a tensor that crosses the surface. */
export interface TensorSpec extends StoredSpec {
  readonly dtype: DType
}

/** A new array of zeros. */
export function zeros<D extends DType>(dtype: D, length: number): Arrays[D] {
  return new dtypes[dtype].array(length) as Arrays[D]
}

/** Numbers as a new array of float32; E_NONFINITE where a finite one is beyond its range and would become infinite. */
export function asFloat32(values: ArrayLike<number>, where?: string): Float32Array<ArrayBuffer> {
  const narrow = Float32Array.from(values)
  if (arrayKind(values) === 'Float32Array') return narrow
  const lost = narrow.findIndex((x, i) => Number.isFinite(values[i]) && !Number.isFinite(x))
  if (lost < 0) return narrow
  throw beyondFloat32(values[lost], where)
}

/** The number as it is; E_NONFINITE where it is finite, and would become infinite in float32. */
export function withinFloat32(value: number, where?: string): number {
  if (Number.isFinite(Math.fround(value)) || !Number.isFinite(value)) return value
  throw beyondFloat32(value, where)
}

/** The error of a number that float32 does not reach. */
export function beyondFloat32(value: number | string, where?: string): FoveaError {
  const [expected, got] = ['at most 3.4e38 in size', `${value}`]
  return new FoveaError('E_NONFINITE', { what: 'beyond float32', ...(where !== undefined && { where }), expected, got })
}

/** The dtype of a typed array of the surface, or undefined for any other value. */
export function dtypeOf(value: unknown): DType | undefined {
  const kind = arrayKind(value)
  return surfaceDTypes.find((dtype) => dtypes[dtype].array.name === kind)
}

/** Numbers in the array of a dtype: the same where they are in one, else a copy, rounded (see `asFloat32`). */
export function arrayFor(values: TypedArray | Float64Array, dtype: DType, where?: string): TypedArray {
  if (dtypeOf(values) === dtype) return values as TypedArray
  return dtype === 'float32' ? asFloat32(values, where) : dtypes[dtype].array.from(values)
}

export const isSurfaceDType = (dtype: unknown): dtype is DType => surfaceDTypes.includes(dtype as DType)
export const isFloat = (dtype: StorageDType): dtype is FloatDType => dtype === 'float32' || dtype === 'bfloat16'

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** The bfloat16 nearest to x, ties to even, as a number: what is left of a float32 when its lower 16 bits go. */
export function roundToBfloat16(x: number): number {
  float[0] = x
  if (Number.isNaN(x)) return x
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000
  return float[0]
}
