/** How fast pictures are made for training: the augmentation of the book's CIFAR-10 network, by itself and fed to `fit`. */
import { allocateBatch } from '../src/data/batch.ts'
import type { EngineName } from '../src/engines/index.ts'
import { type Callback, type Dataset, fromArrays, transform, zoo } from '../src/index.ts'
import { median } from './measure.ts'

export interface DataFigure {
  readonly what: string
  /** Null where no network takes part. */
  readonly engine: string | null
  readonly imagesPerSecond: number
}

const [BATCH, STEPS] = [128, 6]
const samples = BATCH * STEPS
const pictures = fromArrays({
  name: 'pictures',
  inputs: {
    image: { shape: [32, 32, 3], data: Uint8Array.from({ length: samples * 3072 }, (_, i) => (i * 40503) >> 8) },
  },
  targets: { label: { shape: [], data: Int32Array.from({ length: samples }, (_, i) => i % 10) } },
})
const moved = transform(pictures, [
  { type: 'randomRotation', rotationDegrees: 40 },
  { type: 'randomShift', widthFraction: 0.2, heightFraction: 0.2 },
  { type: 'randomZoom', zoomFraction: 0.2 },
  { type: 'randomFlip', mode: 'horizontal' },
])

/** Images a second of one thread that does nothing else, by its processor time: others may have the machine. */
async function reading(rounds: number): Promise<number> {
  const into = allocateBatch(moved, samples)
  const turns: number[] = []
  for (let round = -5; round < 3 * rounds; round++) {
    const before = process.cpuUsage()
    await moved.read(Uint32Array.from({ length: samples }, (_, i) => i), into, { mode: 'train', epoch: round + 6, seed: 1 }) // biome-ignore format: one call
    const { user, system } = process.cpuUsage(before)
    if (round >= 0) turns.push(samples / ((user + system) / 1e6))
  }
  return median(turns)
}

/** The feeds of a training, in turns. */
const feeds: readonly (readonly [string, Dataset, number])[] = [
  ['fit of cifarDeep, no augmentation', pictures, 0],
  ['fit of cifarDeep, augmented between steps', moved, 0],
  ['fit of cifarDeep, augmented by a worker', moved, 1],
]

export async function measureData(
  engines: readonly EngineName[],
  threads: number,
  rounds: number,
): Promise<DataFigure[]> {
  const figures: DataFigure[] = [{ what: 'read, one thread', engine: null, imagesPerSecond: await reading(rounds) }]
  for (const engine of engines) {
    await using model = zoo.cifarDeep({ engine, threads })
    const turns = feeds.map((): number[] => [])
    for (let round = -1; round < rounds; round++) {
      for (const [i, [, data, workers]] of feeds.entries()) {
        const ends: number[] = []
        const clock: Callback = { onBatchEnd: () => void ends.push(performance.now()) }
        await model.fit(data, { batchSize: BATCH, workers, callbacks: [clock] })
        // the first step waits for the worker to start
        if (round >= 0) turns[i].push((BATCH * (STEPS - 1)) / ((ends[STEPS - 1] - ends[0]) / 1000))
      }
    }
    figures.push(...feeds.map(([what], i) => ({ what, engine, imagesPerSecond: median(turns[i]) })))
  }
  return figures
}
