/** Mean and variance of what a dataset holds, read once, a batch at a time. */
import { FoveaError } from '../base/errors.ts'
import type { TypedArray } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import { sizeOf, stridesOf } from '../graph/shape.ts'
import type { Dataset } from './dataset.ts'
import { atRest } from './dataset.ts'
import type { ReaderOptions } from './reader.ts'
import { Reader } from './reader.ts'

/** Numbers that are read at a time. */
const AT_ONCE = 2 ** 20

export interface StatisticsOptions extends ReaderOptions {
  /** The input that is looked at. */
  readonly input: string
  /** Axes of a sample, from 0, that keep their places: [2] for a number per channel of pictures. */
  readonly axes: readonly number[]
  readonly signal?: AbortSignal | undefined
}

/** One number for each place along the axes that were kept, row-major. */
export interface Statistics {
  readonly mean: readonly number[]
  /** Of all numbers of the dataset: divided by how many they are. */
  readonly variance: readonly number[]
}

/** Which of the kept places each number of a sample belongs to. */
function placesOf(shape: Shape, axes: readonly number[]): Int32Array {
  const steps = stridesOf(shape)
  const kept = stridesOf(axes.map((axis) => shape[axis]))
  const placeOf = (i: number): number =>
    axes.reduce((at, axis, k) => at + (Math.floor(i / steps[axis]) % shape[axis]) * kept[k], 0)
  return Int32Array.from({ length: sizeOf(shape) }, (_, i) => placeOf(i))
}

/**
 * The statistics of one input over all samples, as they are in mode 'infer'. Sums are in float64, of the differences from each
 * batch's own mean (Chan et al. 1979), so that nothing cancels. Memory does not grow with the dataset. Throws E_NONFINITE where
 * a number is not finite.
 */
export async function statistics(
  data: Dataset,
  { input, axes, signal, ...reading }: StatisticsOptions,
): Promise<Statistics> {
  const { shape } = data.inputs[input]
  const places = placesOf(shape, axes)
  const count = sizeOf(axes.map((axis) => shape[axis]))
  const [mean, squares] = [new Float64Array(count), new Float64Array(count)]
  let seen = 0
  const samples = Math.max(1, Math.floor(AT_ONCE / places.length))
  const indicesOf = (batch: number): Uint32Array => {
    const begin = batch * samples
    return Uint32Array.from({ length: Math.min(samples, data.length - begin) }, (_, i) => begin + i)
  }
  const reader = new Reader(data, reading)
  try {
    const pass = { to: Math.ceil(data.length / samples), indicesOf, reading: atRest, ...(signal && { signal }) }
    for await (const { arrays, indices, release } of reader.batches(pass)) {
      const numbers = arrays.inputs[input].subarray(0, indices.length * places.length)
      const own = numbers.length / count
      const batch = momentsOf(numbers, places, count)
      for (let p = 0; p < count; p++) {
        const apart = batch.mean[p] - mean[p]
        mean[p] += (apart * own) / (seen + own)
        squares[p] += batch.squares[p] + (apart * apart * seen * own) / (seen + own)
      }
      seen += own
      release()
    }
  } finally {
    await reader.close()
  }
  if (!squares.every(Number.isFinite)) {
    const hint = 'look for missing values in the data'
    throw new FoveaError('E_NONFINITE', { what: 'a sample has numbers that are not finite', where: data.name, hint })
  }
  return { mean: Array.from(mean), variance: Array.from(squares, (sum) => sum / seen) }
}

/** The mean of the numbers at each place, and the sum of the squared differences from it. */
function momentsOf(numbers: TypedArray, places: Int32Array, count: number) {
  const [mean, squares] = [new Float64Array(count), new Float64Array(count)]
  const { length } = places
  for (let from = 0; from < numbers.length; from += length)
    for (let i = 0; i < length; i++) mean[places[i]] += numbers[from + i]
  for (let p = 0; p < count; p++) mean[p] *= count / numbers.length
  for (let from = 0; from < numbers.length; from += length) {
    for (let i = 0; i < length; i++) {
      const apart = numbers[from + i] - mean[places[i]]
      squares[places[i]] += apart * apart
    }
  }
  return { mean, squares }
}
