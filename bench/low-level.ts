/**
 * Training steps written with ops, variables and `updates` beside those of `fit`: the same network (mnistCnn), data, batch and
 * optimizer.
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
import type { Answered, Asked, Precision } from './protocol.ts'

const [BATCH, STEPS] = [50, 20]
const samples = BATCH * STEPS
const pixels = Uint8Array.from({ length: samples * 784 }, (_, i) => (i * 37) % 256)
const labels = Int32Array.from({ length: samples }, (_, i) => i % 10)
const data = fromArrays({
  name: 'low-level',
  inputs: { x: { shape: [28, 28, 1], data: pixels } },
  targets: { y: { shape: [], data: labels } },
})

interface Choice {
  readonly engine: EngineName
  readonly threads: number
  readonly precision: Precision
}

/** The network and its step by hand: a function that trains for an epoch and gives the milliseconds of a step, the first left out. */
async function byHand({ engine, threads }: Choice): Promise<() => Promise<number>> {
  const opened = await openEngine({ engine, threads })
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
  return async () => {
    let begin = 0
    for (let i = 0; i < STEPS; i++) {
      const images = pixels.subarray(i * BATCH * 784, (i + 1) * BATCH * 784)
      const inputs = { x: images, y: labels.subarray(i * BATCH, (i + 1) * BATCH), key: Int32Array.of(1, 0, step, 0) }
      await program.run({ ...inputs, ...adam.rates(step++) })
      if (i === 0) begin = performance.now()
    }
    return (performance.now() - begin) / (STEPS - 1)
  }
}

/** An epoch of `fit`, as a function that gives the same. */
function fitted(choice: Choice): () => Promise<number> {
  const model = zoo.mnistCnn({ seed: 1 })
  return async () => {
    const ends: number[] = []
    const clock: Callback = { onBatchEnd: () => void ends.push(performance.now()) }
    await model.fit(data, { ...choice, batchSize: BATCH, optimizer: 'adam', callbacks: [clock] })
    return (ends[STEPS - 1] - ends[0]) / (STEPS - 1)
  }
}

export type LowLevel = (first: Asked['lowLevel']['first']) => Promise<Answered['lowLevel']>

/** Both ways, compiled: a function that trains an epoch each. */
export async function openLowLevel(choice: Choice): Promise<LowLevel> {
  const ways = { 'by hand': await byHand(choice), fit: fitted(choice) }
  const rate = async (way: keyof typeof ways): Promise<number> => BATCH / ((await ways[way]()) / 1000)
  for (const way of Object.values(ways)) await way()
  return async (first) => {
    if (first === 'fit') return { fit: await rate('fit'), 'by hand': await rate('by hand') }
    return { 'by hand': await rate('by hand'), fit: await rate('fit') }
  }
}
