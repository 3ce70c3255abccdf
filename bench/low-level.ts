/**
 * npm run -s node -- bench/low-level.ts [engine ...]: images per second of training steps written with ops, variables and `updates`
 * beside those of `fit`, in turns, for the same network (mnistCnn), data, batch and optimizer.
 */
import type { EngineName } from '../src/engines/index.ts'
import type { Callback, Node } from '../src/index.ts'
import {
  compile,
  fromArrays,
  initialValues,
  losses,
  openEngine,
  ops,
  placeholder,
  State,
  updates,
  variable,
  zoo,
} from '../src/index.ts'
import { median } from './measure.ts'

const [BATCH, STEPS, ROUNDS] = [50, 20, 9]
const samples = BATCH * STEPS
const pixels = Uint8Array.from({ length: samples * 784 }, (_, i) => (i * 37) % 256)
const labels = Int32Array.from({ length: samples }, (_, i) => i % 10)
const data = fromArrays({
  name: 'low-level',
  inputs: { x: { shape: [28, 28, 1], data: pixels } },
  targets: { y: { shape: [], data: labels } },
})

/** The network and its step by hand: a function that trains for an epoch and gives the milliseconds of a step, the first left out. */
async function byHand(
  engine: EngineName,
): Promise<{ readonly turn: () => Promise<number>; readonly close: () => Promise<void> }> {
  const opened = await openEngine({ engine })
  const state = new State(opened)
  const weights: Node[] = []
  const weight = async (name: string, ...shape: number[]): Promise<Node> => {
    const initializer = shape.length === 1 ? 'zeros' : 'glorotUniform'
    await state.add(name, { shape, dtype: 'float32' }, () =>
      initialValues(shape, { initializer, place: weights.length }),
    )
    weights.push(variable(name, shape))
    return weights[weights.length - 1]
  }
  const [x, y, key] = [
    placeholder('x', [BATCH, 28, 28, 1], 'uint8'),
    placeholder('y', [BATCH], 'int32'),
    placeholder('key', [4], 'int32'),
  ]
  const convolved = async (x: Node, name: string, from: number, to: number): Promise<Node> => {
    const y = ops.conv2d(x, await weight(`${name}/W`, 5, 5, from, to), { padding: 'same' })
    return ops.maxPool(ops.relu(ops.add(y, await weight(`${name}/b`, to))), { window: 2 })
  }
  const dense = async (x: Node, name: string, from: number, to: number): Promise<Node> =>
    ops.add(ops.matmul(x, await weight(`${name}/W`, from, to)), await weight(`${name}/b`, to))
  const h1 = await convolved(ops.mul(ops.toFloat(x), 1 / 255), 'conv1', 1, 32)
  const h2 = await convolved(h1, 'conv2', 32, 64)
  const fc1 = ops.relu(await dense(ops.reshape(h2, { shape: [-1, 7 * 7 * 64] }), 'fc1', 7 * 7 * 64, 1024))
  const logits = await dense(ops.dropout(fc1, { rate: 0.5, key }), 'fc2', 1024, 10)
  const loss = ops.mean(losses.sparseCategoricalCrossentropy(logits, y))
  const accuracy = ops.mean(ops.equal(ops.argmax(logits, -1), y))
  const adam = updates('adam', loss, weights)
  await adam.begin(state)
  const program = compile(state, { outputs: { loss, accuracy }, updates: adam.updates })
  let step = 0
  const turn = async (): Promise<number> => {
    let begin = 0
    for (let i = 0; i < STEPS; i++) {
      const images = pixels.subarray(i * BATCH * 784, (i + 1) * BATCH * 784)
      const inputs = { x: images, y: labels.subarray(i * BATCH, (i + 1) * BATCH), key: Int32Array.of(1, 0, step, 0) }
      await program.run({ ...inputs, ...adam.rates(step++) })
      if (i === 0) begin = performance.now()
    }
    return (performance.now() - begin) / (STEPS - 1)
  }
  return { turn, close: () => opened.close() }
}

const given = process.argv.slice(2) as EngineName[]
for (const engine of given.length > 0 ? given : (['wasm', 'native'] as const)) {
  await using model = zoo.mnistCnn({ engine, seed: 1 })
  const hand = await byHand(engine)
  const fitted = async (): Promise<number> => {
    const ends: number[] = []
    const clock: Callback = { onBatchEnd: () => void ends.push(performance.now()) }
    await model.fit(data, { batchSize: BATCH, optimizer: 'adam', callbacks: [clock] })
    return (ends[STEPS - 1] - ends[0]) / (STEPS - 1)
  }
  const rounds: { hand: number; fit: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const first = round % 2 === 0 ? await fitted() : await hand.turn()
    const second = round % 2 === 0 ? await hand.turn() : await fitted()
    rounds.push(round % 2 === 0 ? { fit: first, hand: second } : { fit: second, hand: first })
  }
  await hand.close()
  const measured = rounds.slice(1) // the first one compiles
  const rate = (times: readonly number[]): string => (BATCH / (median(times) / 1000)).toFixed(0)
  const ratio = median(measured.map((round) => round.fit / round.hand)).toFixed(2)
  const [own, theirs] = [rate(measured.map(({ hand }) => hand)), rate(measured.map(({ fit }) => fit))]
  console.log(`${engine}: ${own} images/s by hand, ${theirs} by fit: ${ratio} of it`)
}
