/** Ten whole training steps of LeNet against PyTorch in float64 (test/golden/lenet.py). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import { openEngine } from '../../src/engines/index.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { HALTED, trainingGoals, trainingSpecs } from '../../src/network/graphs.ts'
import { networkWeights } from '../../src/network/network.ts'
import { objectiveFor } from '../../src/network/objective.ts'
import { Session } from '../../src/network/session.ts'
import { settleOptimizer } from '../../src/nn/optimizers.ts'
import { stepRates } from '../../src/nn/step.ts'
import { zoo } from '../../src/zoo/index.ts'
import { fastEngines } from '../support/engines.ts'
import { golden as readGolden } from '../support/golden.ts'

interface Parameter {
  readonly name: string
  readonly shape: readonly number[]
  readonly seed: number | null
  readonly sampled: number | null
}
interface LenetCase {
  readonly steps: number
  readonly batch: number
  readonly imageSeed: number
  readonly options: { readonly learningRate: number }
  readonly parameters: readonly Parameter[]
}

const golden = readGolden<LenetCase>('lenet')
const truth = (name: string): Float64Array => Float64Array.from(golden.tensor(name).data)
const { steps, batch, imageSeed, parameters, options } = golden.cases[0]
const network = zoo.lenet().network
/** Ours by theirs: both in the order of the layers. */
const ours = Object.keys(networkWeights(network))

/** The sequence that the golden script draws from. */
function* uniforms(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    yield state / 2 ** 32
  }
}

function firstWeights({ shape, seed }: Parameter): Float32Array {
  if (seed === null) return new Float32Array(sizeOf(shape))
  const draw = uniforms(seed)
  const window = sizeOf(shape.slice(0, -2))
  const limit = Math.sqrt(6 / (window * shape[shape.length - 2] + window * shape[shape.length - 1]))
  return Float32Array.from({ length: sizeOf(shape) }, () => (2 * draw.next().value - 1) * limit)
}

function drawImages(): { pixels: Uint8Array; labels: Int32Array } {
  const draw = uniforms(imageSeed)
  const next = () => draw.next().value
  const pixels = new Uint8Array(steps * batch * 784)
  const labels = new Int32Array(steps * batch)
  for (let image = 0; image < labels.length; image++) {
    labels[image] = Math.floor(next() * 10)
    const top = 1 + 12 * Math.floor(labels[image] / 5) + Math.floor(next() * 4)
    const left = 1 + 4 * (labels[image] % 5) + Math.floor(next() * 2)
    for (let i = 0; i < 784; i++) {
      const [row, column] = [Math.floor(i / 28), i % 28]
      const inside = top <= row && row < top + 9 && left <= column && column < left + 9
      const u = next()
      pixels[image * 784 + i] = inside ? 96 + Math.floor(u * 160) : u < 0.75 ? 0 : Math.floor((u - 0.75) * 512)
    }
  }
  return { pixels, labels }
}

const sampled = (values: Numbers, { sampled: every }: Parameter): number[] =>
  Array.from(values).filter((_, i) => i % (every ?? 1) === 0)

/** L2 norm, and the sum with fixed signs: both see every element. */
function summaryOf(values: Numbers): [number, number] {
  let [squares, signed] = [0, 0]
  values.forEach((value, i) => {
    squares += value * value
    signed += Math.imul(i, 2654435761) >>> 0 >= 2 ** 31 ? -value : value
  })
  return [Math.sqrt(squares), signed]
}

const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((total, x) => total + x * x, 0))
const distance = (a: readonly number[], b: readonly number[]): number => norm(a.map((x, i) => x - b[i]))

/** Runs the ten steps; gradients of the first are read by a plain SGD step of size 1 on a copy. */
async function train(engine: Engine) {
  const weights = Object.fromEntries(ours.map((name, i) => [name, firstWeights(parameters[i])]))
  const session = await Session.open(network, engine, 0, weights)
  const fields = {
    name: 'golden',
    inputs: { image: { shape: [28, 28, 1], dtype: 'uint8' } },
    targets: { label: { shape: [], dtype: 'int32' } },
  } as const
  const objective = objectiveFor(network, fields)
  const { pixels, labels } = drawImages()
  const fed = (step: number) => ({
    'input/image': pixels.subarray(step * batch * 784, (step + 1) * batch * 784),
    'target/label': labels.subarray(step * batch, (step + 1) * batch),
    weights: new Float32Array(batch).fill(1),
    present: new Float32Array(batch).fill(1),
  })

  const copy = await Session.open(network, engine, 0, weights)
  const plain = settleOptimizer({ type: 'sgd', learningRate: 1 })
  await copy.addFilled(trainingSpecs(network, plain))
  const once = await copy.program('once', () => trainingGoals(network, objective, { size: batch, ...fields }, plain))
  await once.run({ ...fed(0), 'rate/learningRate': Float64Array.of(1) })
  const gradients = await Promise.all(
    ours.map(async (name) => (await copy.state.read(name)).map((after: number, i: number) => weights[name][i] - after)),
  )

  const adam = settleOptimizer({ type: 'adam', ...options })
  await session.addFilled(trainingSpecs(network, adam))
  const program = await session.program('train', () =>
    trainingGoals(network, objective, { size: batch, ...fields }, adam),
  )
  const losses: number[] = []
  const accuracies: number[] = []
  for (let step = 0; step < steps; step++) {
    const rates = Object.entries(stepRates(adam, { step, total: steps })).map(([name, x]) => [
      `rate/${name}`,
      Float64Array.of(x),
    ])
    const known = Object.fromEntries(rates.filter(([name]) => (name as string) in program.inputs))
    const result = await program.run({ ...fed(step), ...known })
    assert.equal(result['finite'][0], 1)
    losses.push(result['loss'][0] / batch)
    accuracies.push(result['accuracy'][0] / batch)
  }
  const last = await Promise.all(ours.map((name) => session.state.read(name)))
  return { gradients, losses, accuracies, last }
}

test('the golden images and weights are drawn here as there', () => {
  const { pixels, labels } = drawImages()
  assert.deepEqual(Array.from(labels), Array.from(truth('labels')))
  const sums = Array.from(labels, (_, i) => pixels.subarray(i * 784, (i + 1) * 784).reduce((a, b) => a + b, 0))
  assert.deepEqual(sums, Array.from(truth('pixelSums')))
  for (const parameter of parameters) {
    assert.deepEqual(
      Array.from(firstWeights(parameter).subarray(0, 8)),
      Array.from(truth(`initial/${parameter.name}/head`)).slice(0, 8),
    )
  }
})

test('reference: ten steps of LeNet agree with torch.float64 to 1e-9', async () => {
  const { gradients, losses, accuracies, last } = await train(await openEngine({ engine: 'reference' }))
  const close = (got: readonly number[], wanted: Float64Array, what: string) => {
    const scale = Math.max(norm(Array.from(wanted)), 1e-12)
    assert.ok(
      distance(got, Array.from(wanted)) / scale < 1e-9,
      `${what}: off by ${distance(got, Array.from(wanted)) / scale}`,
    )
  }
  close(losses, truth('losses'), 'losses')
  assert.deepEqual(accuracies, Array.from(truth('accuracies')))
  parameters.forEach((parameter, i) => {
    close(sampled(gradients[i], parameter), truth(`gradient/${parameter.name}`), `gradient of ${parameter.name}`)
    close(sampled(last[i], parameter), truth(`weight/${parameter.name}`), parameter.name)
    close(summaryOf(last[i]), truth(`weight/${parameter.name}/summary`), `summary of ${parameter.name}`)
  })
})

for (const name of fastEngines) {
  test(`${name}: gradients within 1e-5, losses within 1e-4, 97 % of the weights within 1e-5 after ten Adam steps`, async () => {
    const engine = await openEngine({ engine: name, threads: 2 })
    const { gradients, losses, accuracies, last } = await train(engine)
    await engine.close()
    truth('losses').forEach((wanted, i) => {
      assert.ok(Math.abs(losses[i] - wanted) < 1e-4, `loss ${i + 1}: ${losses[i]} instead of ${wanted}`)
    })
    assert.deepEqual(accuracies, Array.from(truth('accuracies')))
    let [within, all, worst] = [0, 0, 0]
    parameters.forEach((parameter, i) => {
      const wanted = Array.from(truth(`gradient/${parameter.name}`))
      const off = distance(sampled(gradients[i], parameter), wanted) / norm(wanted)
      assert.ok(off < 1e-5, `gradient of ${parameter.name}: off by ${off}`)
      const differences = sampled(last[i], parameter).map((x, k) => Math.abs(x - truth(`weight/${parameter.name}`)[k]))
      within += differences.filter((d) => d <= 1e-5).length
      all += differences.length
      worst = Math.max(worst, ...differences)
    })
    assert.ok(within / all >= 0.97, `${((100 * within) / all).toFixed(2)} % of the weights are within 1e-5`)
    assert.ok(worst <= options.learningRate, `a weight is off by ${worst}`)
  })

  test(`${name}: a step with a number that is not finite leaves weights and optimizer as they were, to the bit`, async () => {
    const engine = await openEngine({ engine: name, threads: 2 })
    const session = await Session.open(network, engine, 3)
    const adam = settleOptimizer('adam')
    await session.addFilled(trainingSpecs(network, adam))
    const fields = {
      name: 'bad',
      inputs: { x: { shape: [28, 28, 1], dtype: 'float32' } },
      targets: { y: { shape: [], dtype: 'int32' } },
    } as const
    const program = await session.program('t', () =>
      trainingGoals(network, objectiveFor(network, fields), { size: 2, ...fields }, adam),
    )
    const before = await session.values()
    const result = await program.run({
      'input/x': new Float32Array(2 * 784).fill(Infinity),
      'target/y': Int32Array.of(1, 2),
      weights: Float32Array.of(1, 1),
      present: Float32Array.of(1, 1),
      'rate/rate': Float32Array.of(0.001),
    })
    assert.equal(result['finite'][0], 0)
    const after = await session.values()
    assert.equal(after[HALTED][0], 1, 'and so it stays until the next fit')
    assert.deepEqual({ ...after, [HALTED]: before[HALTED] }, before)
    await engine.close()
  })
}
