/** Datasets by name: each gives a part to train on and a part to test on. */
import { digits, digitsOptions } from './digits.ts'
import { mnist, mnistOptions } from './mnist.ts'

export const datasets = { mnist, digits } as const
/** Their options, for the command and the docs. */
export const datasetOptions = { mnist: mnistOptions, digits: digitsOptions } as const
/** What they are, in words. */
export const datasetWords: Readonly<Record<keyof typeof datasets, string>> = {
  mnist: 'MNIST: 60,000 + 10,000 handwritten digits, light on dark, 28 x 28; read from a folder, or downloaded.',
  digits: 'Handwritten digits in the manner of MNIST, drawn on demand from strokes: nothing to download.',
}
export type DatasetName = keyof typeof datasets
