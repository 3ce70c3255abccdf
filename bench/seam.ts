/**
 * npm run -s node -- bench/seam.ts [engine ...]: what a training step takes with an `onGradients` that does nothing and
 * without, in turns, for the network 784-1024-10 in batches of 32.
 */
import type { EngineName } from '../src/engines/index.ts'
import { type Callback, fromArrays, layers, sequential } from '../src/index.ts'
import { median } from './measure.ts'

const [BATCH, STEPS, ROUNDS] = [32, 20, 9]
const samples = BATCH * STEPS
const data = fromArrays({
  name: 'seam',
  inputs: { x: { shape: [784], data: Float32Array.from({ length: samples * 784 }, (_, i) => (i % 7) / 7) } },
  targets: { y: { shape: [], data: Int32Array.from({ length: samples }, (_, i) => i % 10) } },
})

/** Milliseconds of a step, the first one left out: what it waits for is not the step. */
async function turn(model: ReturnType<typeof sequential>, own: readonly Callback[]): Promise<number> {
  const ends: number[] = []
  const clock: Callback = { onBatchEnd: () => void ends.push(performance.now()) }
  await model.fit(data, { batchSize: BATCH, callbacks: [...own, clock] })
  return (ends[STEPS - 1] - ends[0]) / (STEPS - 1)
}

const given = process.argv.slice(2) as EngineName[]
for (const engine of given.length > 0 ? given : (['wasm', 'native'] as const)) {
  await using model = sequential({ inputShape: [784], engine }, [
    layers.dense({ units: 1024, activation: 'relu' }),
    layers.dense({ units: 10 }),
  ])
  const rounds: { plain: number; seam: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const plain = await turn(model, [])
    rounds.push({ plain, seam: await turn(model, [{ onGradients: () => undefined }]) })
  }
  const measured = rounds.slice(1) // the first one compiles
  const ms = (times: readonly number[]): string => `${median(times).toFixed(1)} ms`
  const plain = ms(measured.map((round) => round.plain))
  const seam = ms(measured.map((round) => round.seam))
  const ratio = median(measured.map((round) => round.seam / round.plain)).toFixed(1)
  console.log(`${engine}: ${plain} without onGradients, ${seam} with, ${ratio} times as long`)
}
