/** Shapes and elements of the tensors in made-up files. */
import fc from 'fast-check'

export const arrayTypes = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const

/** Up to `rank` axes of 0 to 5; those that would make more than 200 elements become 1. */
export const smallShape = (rank: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat(5), { maxLength: rank }).map((sizes) => {
    let count = 1
    return sizes.map((size) => {
      if (count * size > 200) return 1
      count *= Math.max(size, 1)
      return size
    })
  })

/** The bytes of all elements: a few of them over and over. */
export function elementsFrom(seed: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const count = shape.reduce((product, n) => product * n, width)
  return Uint8Array.from({ length: count }, (_, i) => seed[i % seed.length])
}
