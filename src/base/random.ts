/**
 * Random numbers as a function, not a state: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). One map for all of the project:
 *
 *   key = seed (low, high); counter = (element div 4 low, high, step or sample index, stream); word = element mod 4
 *
 * so the same numbers come out on every engine, for any number of threads or machines.
 */

/** What a stream is for; the high byte of a stream number. The order is part of the format: append only. */
const purposes = ['initialize', 'shuffle', 'dropout', 'augment', 'digits', 'sample'] as const
export type Purpose = (typeof purposes)[number]

/** The stream number of the `index`-th user of `purpose` (a layer's place in its model, say). */
export function stream(purpose: Purpose, index = 0): number {
  return ((purposes.indexOf(purpose) << 24) | (index & 0xffffff)) >>> 0
}

export interface Draw {
  /** Any safe integer; its low and high 32 bits are the key. */
  seed: number
  stream: number
  /** Training step or sample index; 0 where there is none. */
  step?: number
}

const M0 = 0xd2511f53
const M1 = 0xcd9e8d57
const W0 = 0x9e3779b9
const W1 = 0xbb67ae85

/** High 32 bits of the product of two unsigned 32-bit integers, as an int32: only in integers, since that is fast. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0 // both sums stay below 2^32
  const carry = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0
}

type Words = [number, number, number, number]

/** Takes a counter of four words to the block that Philox 4x32-10 makes of it with a key of two. */
export function philoxInPlace(words: Uint32Array, key: readonly [number, number]): void {
  let [x0, x1, x2, x3] = [words[0] | 0, words[1] | 0, words[2] | 0, words[3] | 0]
  let [k0, k1] = [key[0] | 0, key[1] | 0]
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, x0)
    const high1 = mulHigh(M1, x2)
    const low0 = Math.imul(M0, x0)
    const low1 = Math.imul(M1, x2)
    x0 = high1 ^ x1 ^ k0
    x1 = low1
    x2 = high0 ^ x3 ^ k1
    x3 = low0
    k0 = (k0 + W0) | 0
    k1 = (k1 + W1) | 0
  }
  words[0] = x0
  words[1] = x1
  words[2] = x2
  words[3] = x3
}

/** One block of Philox 4x32-10: four words from a counter of four words and a key of two. */
export function philox(counter: Readonly<Words>, key: readonly [number, number]): Words {
  const words = Uint32Array.from(counter)
  philoxInPlace(words, key)
  return [words[0], words[1], words[2], words[3]]
}

/** Low and high 32 bits of a non-negative safe integer; a negative one counts as its two's complement. */
export function split64(value: number): [low: number, high: number] {
  return [value >>> 0, Math.floor(value / 4294967296) >>> 0]
}

/** The 32 random bits of one element. */
export function bitsAt({ seed, stream, step = 0 }: Draw, element: number): number {
  const [low, high] = split64(Math.floor(element / 4))
  return philox([low, high, step >>> 0, stream >>> 0], split64(seed))[element % 4]
}

/** Calls `write(element, bits)` for `count` elements from `first` on, one Philox block per four. */
function eachBits(draw: Draw, count: number, write: (element: number, bits: number) => void): void {
  const key = split64(draw.seed)
  const step = (draw.step ?? 0) >>> 0
  const words = new Uint32Array(4) // one for all: LeNet's first weights in 35 ms instead of 130
  for (let block = 0; block * 4 < count; block++) {
    words[0] = block >>> 0
    words[1] = Math.floor(block / 4294967296)
    words[2] = step
    words[3] = draw.stream >>> 0
    philoxInPlace(words, key)
    for (let word = 0; word < 4 && block * 4 + word < count; word++) write(block * 4 + word, words[word])
  }
}

/** Uniform on [0, 1) from 32 bits: the top 24 of them, so that float32 holds the value exactly. */
export const uniformFromBits = (bits: number): number => (bits >>> 8) * 2 ** -24

/** `count` uniforms on [0, 1). */
export function uniforms(draw: Draw, count: number): Float32Array {
  const result = new Float32Array(count)
  eachBits(draw, count, (element, bits) => {
    result[element] = uniformFromBits(bits)
  })
  return result
}

/**
 * The two standard normals made of the words of elements 2i and 2i + 1 (Box and Muller 1958): the first word gives
 * the radius by a uniform on (0, 1], the second the angle.
 */
export function normalPair(bits0: number, bits1: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(uniformFromBits(bits0) + 2 ** -24))
  const angle = 2 * Math.PI * uniformFromBits(bits1)
  return [radius * Math.cos(angle), radius * Math.sin(angle)]
}

/** `count` standard normals. */
export function normals(draw: Draw, count: number): Float32Array {
  const result = new Float32Array(count)
  let pending = 0
  eachBits(draw, count + (count % 2), (element, bits) => {
    if (element % 2 === 0) pending = bits
    else {
      const pair = normalPair(pending, bits)
      result[element - 1] = pair[0]
      if (element < count) result[element] = pair[1]
    }
  })
  return result
}

/** One of `normals`: the element of that number. */
export function normalAt(draw: Draw, element: number): number {
  const even = element - (element % 2)
  return normalPair(bitsAt(draw, even), bitsAt(draw, even + 1))[element % 2]
}

/** A permutation of 0 .. count - 1 (Fisher and Yates), a function of the draw alone. */
export function permutation(draw: Draw, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  const chosen = new Uint32Array(count)
  eachBits(draw, count, (element, bits) => {
    chosen[element] = bits
  })
  for (let i = count - 1; i > 0; i--) {
    const j = mulHigh(chosen[i], i + 1)
    const kept = order[i]
    order[i] = order[j]
    order[j] = kept
  }
  return order
}
