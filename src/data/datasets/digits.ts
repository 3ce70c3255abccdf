/**
 * The embedded dataset: handwritten digits in the manner of MNIST, drawn from strokes by our own code, so that
 * everything works before anything is downloaded. Image and label are a function of the seed and the sample's number.
 */

import { integer, type Options, settle } from '../../base/options.ts'
import { permutation, stream } from '../../base/random.ts'
import type { Batch, Dataset, Parts } from '../dataset.ts'
import { checkIndices } from '../in-memory.ts'
import { digitPictures } from '../preprocessing.ts'
import { drawDigit, side } from './digits/draw.ts'
import { type Skeletons, skeletons } from './digits/strokes.ts'

/** Test digits are numbered from here, training digits from 0: no seed draws one twice. */
const firstTest = 1_000_000_000

export const digitsOptions = {
  samples: integer({ says: 'number of training images', default: 20_000, min: 1, max: firstTest }),
  testSamples: integer({ says: 'number of test images', default: 2_000, min: 1, max: firstTest }),
  seed: integer({ says: 'seed of the drawing: another seed draws other digits', default: 0 }),
}

/** Handwritten digits 0 to 9, 28 x 28, white on black, drawn on demand. A longer set begins with the shorter one. */
export async function digits(options: Options<typeof digitsOptions> = {}): Promise<Parts> {
  const { samples, testSamples, seed } = settle(digitsOptions, options, 'digits')
  const ways = skeletons()
  return {
    train: digitsPart({ name: 'digits train', seed, first: 0, length: samples }, ways),
    test: digitsPart({ name: 'digits test', seed, first: firstTest, length: testSamples }, ways),
  }
}

const pixels = side * side
/** Images beyond these are drawn again at each reading: 51 MB at most. */
const keptAtMost = 65_536

/** A part, as plain data. */
export interface Digits {
  readonly name: string
  readonly seed: number
  /** Number of the first digit. */
  readonly first: number
  readonly length: number
}

export function digitsPart({ name, seed, first, length }: Digits, ways: Skeletons = skeletons()): Dataset {
  const kept = Math.min(length, keptAtMost)
  const images = new Uint8Array(kept * pixels)
  const isDrawn = new Uint8Array(kept)

  const draw = (index: number, label: number, into: Uint8Array, offset: number): void =>
    drawDigit(ways[label], { seed, number: first + index, into, offset })

  const write = (index: number, { inputs, targets }: Batch, at: number): void => {
    const label = labelOf(seed, first + index)
    targets['label'][at] = label
    const image = inputs['image'] as Uint8Array // by the contract of `inputs` below
    if (index >= kept) {
      draw(index, label, image, at * pixels)
      return
    }
    if (!isDrawn[index]) {
      draw(index, label, images, index * pixels)
      isDrawn[index] = 1
    }
    image.set(images.subarray(index * pixels, (index + 1) * pixels), at * pixels)
  }

  const read: Dataset['read'] = async (indices, into, reading) => {
    const signal = reading?.signal
    signal?.throwIfAborted()
    checkIndices(indices, length, name)
    for (let i = 0; i < indices.length; i++) write(indices[i], into, i)
  }
  return {
    name,
    length,
    inputs: { image: { shape: [side, side, 1], dtype: 'uint8' } },
    targets: { label: { shape: [], dtype: 'int32' } },
    classNames: ways.map((_, digit) => String(digit)),
    preprocessing: digitPictures,
    source: `drawn from strokes, seed ${seed}`,
    read,
    describe() {
      return this.read === read ? { type: 'digits', name, seed, first, length } : undefined
    },
  }
}

/** Each ten in a row hold every digit once, in an order of their own: balanced whatever the length. */
function labelOf(seed: number, number: number): number {
  return permutation({ seed, stream: stream('digits', 2), step: Math.floor(number / 10) }, 10)[number % 10]
}
