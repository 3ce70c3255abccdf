/** The random numbers of one sample at a time. */
import { normalPair, philoxInPlace, split64, stream, uniformFromBits } from '../base/random.ts'

/**
 * Random numbers by their own number `i`, from 0 below 2^32, for the sample that `of` named last. The counter of
 * `base/random.ts` has the epoch in its second word, the sample in its third and the transform's place in its stream.
 */
export class Draws {
  readonly #key: readonly [number, number]
  readonly #stream: number
  readonly #words = new Uint32Array(4)
  #epoch = 0
  #sample = 0
  /** The block of four numbers that `#words` hold. */
  #block = -1

  /** For the `place`-th transform of a dataset. */
  constructor(seed: number, place: number) {
    this.#key = split64(seed)
    this.#stream = stream('augment', place)
  }

  /** Goes to a sample. */
  of(sample: number, epoch: number): this {
    this.#sample = sample
    this.#epoch = epoch
    this.#block = -1
    return this
  }

  /** On [0, 1), or [from, to). */
  uniform(i: number, from = 0, to = 1): number {
    return from + (to - from) * uniformFromBits(this.#bits(i))
  }

  /** An integer from 0 to `count` - 1. */
  integer(i: number, count: number): number {
    return Math.floor((this.#bits(i) * count) / 2 ** 32)
  }

  /** A standard normal in steps of 2^-24, as hosts compute logarithms and cosines differently. */
  normal(i: number): number {
    const even = i - (i % 2)
    return Math.round(normalPair(this.#bits(even), this.#bits(even + 1))[i % 2] * 2 ** 24) / 2 ** 24
  }

  #bits(i: number): number {
    const block = i >>> 2
    if (block !== this.#block) {
      this.#words.set([block, this.#epoch, this.#sample, this.#stream])
      philoxInPlace(this.#words, this.#key)
      this.#block = block
    }
    return this.#words[i & 3]
  }
}
