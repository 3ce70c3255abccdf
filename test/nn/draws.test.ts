/** Random numbers in layers: every draw has its own, in every use and step; they follow from the seed. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { normals, stream, uniforms } from '../../src/base/random.ts'
import type { Model } from '../../src/index.ts'
import { defineLayer, fromArrays, input, layers, model, ops, options } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'

const { dense, dropout, subtract, add } = layers
const WIDTH = 512

/** Adds noise in training, the second draw from the first. */
const noise = defineLayer('noise', {
  className: 'Noise',
  says: 'Normal numbers less uniform ones.',
  options: { always: options.flag({ says: 'in prediction too', default: false }) },
  forward: ([x], _, { always }, { mode, draw }) => {
    if (mode === 'infer' && !always) return x
    const { shape } = x
    return ops.add(x, ops.sub(draw({ shape, distribution: 'normal' }), draw({ shape })))
  },
})

/** One step with a learning rate of 0 and a loss that sees every value: the values that a layer gave in it, as running means. */
const watch = defineLayer('watch', {
  className: 'Watch',
  says: 'Keeps what it saw last.',
  options: {},
  weights: (_, shape) => ({ seen: { shape, initializer: 'zeros', trainable: false } }),
  forward: ([x], { seen }) => ({ output: x, updates: { seen: ops.add(ops.mul(seen, 0), ops.sum(x, { axes: [0] })) } }),
})

const data = fromArrays({
  name: 'ones',
  inputs: { x: { shape: [WIDTH], data: new Float32Array(WIDTH).fill(1) } },
  targets: { y: { shape: [1], data: Float32Array.of(0) } },
})

/** What `watch` saw in the step of this number. */
async function seen(net: Model, steps = 1, seed = 3): Promise<Float32Array> {
  await net.fit(data, { epochs: steps, batchSize: 1, learningRate: 0, seed, loss: 'meanSquaredError' })
  return (await net.weights())['watch/seen']
}

type Wire = (x: ReturnType<typeof input>) => ReturnType<typeof input>
function net(engine: 'reference' | 'wasm' | 'native', wire: Wire): Model {
  const x = input([WIDTH], { name: 'x' })
  return model(x, dense({ units: 1 })(watch({ name: 'watch' })(wire(x))), { engine })
}
const share = (values: Float32Array, of: number): number => values.filter((x) => x === of).length / values.length

for (const engine of ['reference', ...fastEngines] as const)
  suite(engine, () => {
    test('a shared dropout layer has a mask for each of its uses', async () => {
      const drop = dropout({ rate: 0.5 })
      const difference = await seen(net(engine, (x) => subtract()(drop(x), drop(x))))
      for (const [value, wanted] of [
        [0, 0.5],
        [2, 0.25],
        [-2, 0.25],
      ])
        assert.ok(Math.abs(share(difference, value) - wanted) < 0.1, `${value}: ${share(difference, value)}`)
    })

    test("a layer's own draws: two in one forward, by the map of random numbers, in every step others", async () => {
      const wire: Wire = (x) => noise()(x)
      const first = await seen(net(engine, wire))
      // the layer is the first of three: its first draw has its number, the second the next that is free
      const by = (index: number) => ({ seed: 3, stream: stream('dropout', index), step: 0 })
      const [a, b] = [normals(by(0), WIDTH), uniforms(by(3), WIDTH)]
      first.forEach((value, i) => {
        assert.ok(Math.abs(value - (1 + a[i] - b[i])) < 1e-5, `element ${i}`)
      })
      assert.deepEqual(await seen(net(engine, wire)), first, 'the same seed gives the same')
      assert.notDeepEqual(await seen(net(engine, wire), 2), first, 'the next step has others')
      assert.notDeepEqual(await seen(net(engine, wire), 1, 4), first, 'another seed has others')
    })
  })

test('every draw of a network has a stream of its own', async () => {
  const [drop, noisy] = [dropout({ rate: 0.5 }), noise()]
  const wires: Wire[] = [
    (x) => drop(x),
    (x) => dropout({ rate: 0.5 })(x),
    (x) => drop(drop(x)),
    (x) => add()(noisy(x), noisy(x)),
    (x) => add()(drop(x), noisy(x)),
  ]
  const x = input([4], { name: 'x' })
  const net = model(x, add()(...wires.map((wire) => wire(x))))
  const { outputs } = net.graph({ mode: 'train' })
  const streams: unknown[] = []
  const met = new Set<unknown>()
  const visit = (node: (typeof outputs)[string]): void => {
    if (met.has(node)) return
    met.add(node)
    if (node.op.opName.startsWith('random')) streams.push(node.attrs['stream'])
    node.inputs.forEach(visit)
  }
  visit(outputs['output'])
  assert.equal(streams.length, 11) // four uses of one dropout and one of another; three of noise, which draws twice
  assert.equal(new Set(streams).size, streams.length)
})

test('a layer that draws in prediction too: a sample has the same numbers in any batch', async () => {
  const x = input([3], { name: 'x' })
  const net = model(x, noise({ always: true })(x))
  const zeros = new Float32Array(3 * 40)
  const whole = (await net.predict(zeros)).data
  assert.deepEqual((await net.predict(zeros, { batchSize: 8 })).data, whole)
  assert.equal(new Set(whole).size, 120)
})

test('a distribution that there is not', () => {
  const odd = defineLayer('odd', {
    className: 'Odd',
    says: 'Draws what is not there.',
    options: {},
    forward: ([x], _, __, { draw }) => ops.add(x, draw({ shape: x.shape, distribution: 'gamma' as never })),
  })
  assert.throws(() => odd()(input([2])), failure('E_OPTION', 'uniform, normal', "'gamma'"))
})
