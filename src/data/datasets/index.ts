/** Datasets by name: each gives a part to train on and a part to test on. */
import { digits, digitsOptions } from './digits.ts'
import { mnist, mnistOptions } from './mnist.ts'

export const datasets = { mnist, digits } as const
/** Their options, for the command and the docs. */
export const datasetOptions = { mnist: mnistOptions, digits: digitsOptions } as const
export type DatasetName = keyof typeof datasets
