/** A model's graph: what its nodes are worth, and goals over the model's own weights, held to finite differences and by hand. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Model, Node } from '../../src/index.ts'
import { gradients, input, layers, model, ops, placeholder, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { judged, small, train } from '../support/small-model.ts'
import { points } from '../support/tiny-model.ts'

const { batchNormalization, dropout, dense, activation, rescaling, add, concatenate } = layers
const engines = ['reference', ...fastEngines] as const

const near = (got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number, what = ''): void => {
  assert.equal(got.length, wanted.length)
  for (let i = 0; i < got.length; i++)
    assert.ok(
      Math.abs(got[i] - wanted[i]) <= tolerance * Math.max(1, Math.abs(wanted[i])),
      `${what} ${i}: ${got[i]}, not ${wanted[i]}`,
    )
}
const picture = (n = 1): Uint8Array => Uint8Array.from({ length: 784 * n }, (_, i) => (i * 37 + (i % 28) * 5) % 256)

/** Grad-CAM (Selvaraju et al. 2017) of a class: channels weighed by their mean gradient, what speaks for the class kept. */
function gradCam(net: Model, layer: string, digit: number): { cam: Node; maps: Node; score: Node } {
  const graph = net.graph()
  const maps = graph.layers[layer].output
  const score = ops.sum(ops.slice(graph.logits['output'], { begin: [0, digit], size: [1, 1] }))
  const [slopes] = gradients(score, [maps])
  const weights = ops.mean(slopes, { axes: [1, 2], keepDims: true })
  return { cam: ops.relu(ops.sum(ops.mul(maps, weights), { axes: [3] })), maps, score }
}

for (const engine of engines)
  suite(engine, () => {
    test('Grad-CAM: as by hand from finite differences of the rest of the network', async () => {
      const net = small({ engine })
      await net.fit(train, { epochs: 1, batchSize: 64 })
      const digit = 3
      const { cam, maps, score } = gradCam(net, 'conv2d', digit)
      const got = await net.run({ outputs: { cam, maps, score } }, picture())
      // the rest of the network, fed with maps of its own
      const shape = maps.shape.slice(1)
      const x = input(shape, { name: 'maps' })
      const [pool, flat, , last] = ['max_pooling2d', 'flatten', 'dropout', 'dense'].map((name) => net.layers[name])
      const rest = model(x, last(flat(pool(x))), { weightsFrom: net, engine: 'reference' })
      const graph = rest.graph()
      const goals = { outputs: { logits: graph.logits['output'] } }
      const scoreOf = async (values: Float32Array): Promise<number> => (await rest.run(goals, values)).logits[digit]
      const values = Float32Array.from(got.maps)
      assert.ok(Math.abs((await scoreOf(values)) - got.score[0]) < 1e-4)
      const channels = shape[2]
      const places = values.length / channels
      const weights = new Float64Array(channels)
      for (let channel = 0; channel < channels; channel++) {
        // the mean slope of a channel: move all of its places at once by what keeps every maximum where it is
        const step = 1e-3
        let sum = 0
        for (let place = 0; place < places; place++) {
          const at = place * channels + channel
          const moved = Float32Array.from(values)
          moved[at] += step
          const up = await scoreOf(moved)
          moved[at] = values[at] - step
          const difference = up - (await scoreOf(moved))
          sum += difference / (Math.fround(values[at] + step) - Math.fround(values[at] - step))
        }
        weights[channel] = sum / places
      }
      const wanted = Array.from({ length: places }, (_, place) =>
        Math.max(
          0,
          weights.reduce((sum, w, channel) => sum + w * values[place * channels + channel], 0),
        ),
      )
      near(got.cam, wanted, 2e-3, 'cam')
      assert.ok(Math.max(...wanted) > 1e-3)
    })

    test('every node is worth what predict and features say, for bytes and for floats', async () => {
      const net = small({ engine })
      await net.fit(train, { epochs: 1, batchSize: 64 })
      const graph = net.graph({ batch: 2 })
      const { layers: nodes, outputs, logits } = graph
      const goals = {
        outputs: {
          output: outputs['output'],
          logits: logits['output'],
          conv: nodes['conv2d'].output,
          before: nodes['conv2d'].preactivation,
          image: graph.inputs['input_layer'],
        },
      }
      const bytes = picture(2)
      const got = await net.run(goals, bytes)
      near(got.output, (await net.predict(bytes)).data, 1e-6, 'output')
      near(got['conv'], (await net.features('conv2d').predict(bytes)).data, 1e-6, 'conv')
      near(
        got['conv'],
        Array.from(got['before'], (x) => Math.max(0, x)),
        0,
        'relu',
      )
      assert.ok(Array.from(got['before']).some((x) => x < 0))
      near(
        got['image'],
        Array.from(bytes, (x) => x / 255),
        1e-6,
        'image',
      )
      const powers = Array.from(got['logits'].slice(0, 10), Math.exp)
      const total = powers.reduce((a, b) => a + b, 0)
      near(
        got.output.slice(0, 10),
        powers.map((x) => x / total),
        1e-5,
        'softmax',
      )
      const floats = Float32Array.from(bytes, (x) => x / 255)
      near((await net.run(goals, { input_layer: floats }))['output'], got.output, 1e-5, 'floats')
      const twice = { outputs: { inside: ops.mul(graph.inputs['input_layer'], 2) } }
      near(
        (await net.run(twice, floats)).inside,
        floats.map((x) => 2 * x),
        1e-6,
        'inside',
      )
    })

    test('goals see what the model learns, and change it by updates, nothing being copied', async () => {
      const net = small({ engine })
      const { weights, logits } = net.graph()
      const bias = weights['dense/bias']
      const goals = { outputs: { bias, logits: logits['output'] } }
      const first = await net.run(goals, picture())
      assert.deepEqual([...first.bias], new Array(10).fill(0))
      await net.fit(train, { epochs: 1, batchSize: 64 })
      const now = await net.run(goals, picture())
      near(now.bias, (await net.weights())['dense/bias'], 1e-7, 'bias') // which are float32
      assert.notDeepEqual(now.logits, first.logits)
      const add1 = { outputs: {}, updates: [[bias, ops.add(bias, placeholder('by', []))] as const] }
      await net.run(add1, { by: Float32Array.of(2) })
      near(
        (await net.weights())['dense/bias'],
        Float32Array.from(now.bias, (x) => x + 2),
        1e-6,
        'moved',
      )
      await net.fit(train, { epochs: 1, batchSize: 64 })
    })

    test('in training mode: masks by the seed, statistics of the batch, and their updates', async () => {
      const net = sequential({ inputShape: [4], engine }, [
        batchNormalization(),
        dropout({ rate: 0.5 }),
        dense({ units: 2 }),
      ])
      const graph = net.graph({ batch: 8, mode: 'train' })
      const { batch_normalization: norm, dropout: drop } = graph.layers
      const goals = { outputs: { norm: norm.output, drop: drop.output }, updates: graph.updates }
      const x = Float32Array.from({ length: 32 }, (_, i) => (i * i) % 7)
      const { norm: normed, drop: dropped } = await net.run(goals, x)
      near([Array.from(normed).reduce((a, b) => a + b, 0)], [0], 1e-4)
      for (const [i, value] of Array.from(dropped).entries())
        assert.ok(value === 0 || Math.abs(value - 2 * normed[i]) < 1e-5)
      const means = [0, 1, 2, 3].map((c) => x.filter((_, i) => i % 4 === c).reduce((a, b) => a + b, 0) / 8)
      near(
        (await net.weights())['batch_normalization/movingMean'],
        means.map((m) => 0.01 * m),
        1e-6,
        'moving mean',
      )
      assert.deepEqual(await net.run({ outputs: { drop: drop.output } }, x), { drop: dropped }, 'the same seed')
      const other = await net.run({ outputs: { drop: drop.output } }, x, { seed: 1 })
      assert.notDeepEqual(other.drop, dropped)
    })
  })

test('several inputs and outputs, a shared layer by its uses, branches', async () => {
  const [a, b] = [input([3], { name: 'a' }), input([3], { name: 'b' })]
  const shared = dense({ units: 2, name: 'shared', activation: 'relu' })
  const [left, right] = [shared(a), shared(b)]
  const both = concatenate({ name: 'both' })(left, right)
  const outputs = { sum: add({ name: 'sum' })(left, right), score: dense({ units: 1, activation: 'sigmoid' })(both) }
  const net = model({ a, b }, outputs, { engine: 'reference' })
  const graph = net.graph()
  assert.deepEqual(Object.keys(graph.layers), ['shared', 'sum', 'both', 'dense'])
  const { uses, output } = graph.layers['shared']
  assert.equal(uses.length, 2)
  assert.equal(uses[1].output, output)
  assert.deepEqual(
    graph.layers['both'].inputs,
    uses.map((use) => use.output),
  )
  const goals = {
    outputs: {
      sum: graph.outputs['sum'],
      score: graph.outputs['score'],
      first: uses[0].output,
      second: uses[1].output,
      logit: graph.logits['score'],
    },
  }
  const values = { a: Float32Array.of(1, 2, 3), b: Float32Array.of(-1, 0, 4) }
  const got = await net.run(goals, values)
  near(
    got.sum,
    Array.from(got['first'], (x, i) => x + got['second'][i]),
    1e-12,
  )
  near(got.score, [1 / (1 + Math.exp(-got['logit'][0]))], 1e-12)
  near(got.score, (await net.predict(values)).outputs['score'].data, 1e-6)
  near(
    (await net.run({ outputs: { first: uses[0].output } }, { a: values.a })).first,
    got['first'],
    0,
    'b is not needed',
  )
})

test('a model that begins with rescaling is given bytes as they are', async () => {
  const net = sequential({ inputShape: [4] }, [rescaling({ scale: 2 }), dense({ units: 1 })])
  const goals = { outputs: { x: net.graph().inputs['input_layer'], y: net.graph().layers['rescaling'].output } }
  await assert.doesNotReject(net.run({ outputs: { x: goals.outputs.x } }, Uint8Array.of(1, 2, 3, 255)))
  assert.deepEqual(
    [...(await net.run({ outputs: { x: goals.outputs.x } }, Uint8Array.of(1, 2, 3, 255))).x],
    [1, 2, 3, 255],
  )
  assert.deepEqual(
    [...(await net.run({ outputs: { y: goals.outputs.y } }, Uint8Array.of(1, 2, 3, 255))).y],
    [2, 4, 6, 510],
  )
})

test('a part of a model has its graph too; a model that was never trained shows what stands before its softmax', async () => {
  const net = small()
  const part = net.features('conv2d')
  const { outputs } = part.graph()
  near((await part.run({ outputs }, picture()))['conv2d'], (await part.predict(picture())).data, 1e-6)
  const graph = net.graph()
  assert.equal(graph.logits['output'], graph.layers['dense'].preactivation)
  const separate = sequential({ inputShape: [3] }, [
    dense({ units: 2 }),
    activation({ activation: 'softmax', name: 'p' }),
  ])
  const nodes = separate.graph()
  assert.equal(nodes.logits['output'], nodes.layers['dense'].output)
  assert.equal(nodes.layers['p'].preactivation, nodes.layers['dense'].output)
})

test('goals are planned once; arrays are taken during the call; a fit under way is waited for by none', async () => {
  const net = small()
  const graph = net.graph({ batch: 70 })
  const goals = { outputs: graph.outputs }
  const { inputs } = judged
  assert.ok(inputs)
  const x = new Uint8Array(70 * 784)
  const running = net.run(goals, x)
  x.fill(255)
  const other = await net.run(goals, new Uint8Array(70 * 784))
  assert.deepEqual(await running, other)
  const fitting = net.fit(train, { epochs: 1, batchSize: 64 })
  const [, during] = await Promise.all([fitting, net.run(goals, x)])
  assert.ok(Array.from(during['output']).every(Number.isFinite))
})

test('a placeholder may be called as anything inside', async () => {
  const x = input([2], { name: 'key' })
  const net = model(x, dense({ units: 1, useBias: false, kernelInitializer: 'ones' })(x), { engine: 'reference' })
  const graph = net.graph()
  const y = ops.add(graph.outputs['output'], placeholder('input/key', [1, 1]))
  const given = { key: Float32Array.of(1, 2), 'input/key': Float32Array.of(10) }
  assert.deepEqual([...(await net.run({ outputs: { y } }, given)).y], [13])
})

test('goals written inline are planned once for the same nodes; others are another program', async (t) => {
  const net = single()
  const load = t.mock.method(await net.engine(), 'load')
  const { output } = net.graph().outputs
  const doubled = ops.mul(output, 2)
  const bias = net.graph().weights['dense/bias']
  const planned: [planned: number, ...goals: Parameters<Model['run']>[0][]][] = [
    [1, { outputs: { output } }],
    [0, { outputs: { output } }, { outputs: { output }, updates: [], float32: [] }],
    [1, { outputs: { output: doubled } }],
    [1, { outputs: { other: output } }],
    [1, { outputs: { output }, updates: [[bias, bias]] }],
    [0, { outputs: { output } }, { outputs: { output: doubled } }, { outputs: { output }, updates: [[bias, bias]] }],
  ]
  for (const [wanted, ...all] of planned) {
    const before = load.mock.callCount()
    for (const goals of all) await net.run(goals, new Float32Array(2))
    assert.equal(load.mock.callCount() - before, wanted, Object.keys(all[0]).join())
  }
})

test('goals are taken during the call: what is done to them later is for the next run', async () => {
  const net = single()
  await net.setWeights({ 'dense/kernel': Float32Array.of(1, 1), 'dense/bias': Float32Array.of(0) })
  const { outputs, weights } = net.graph()
  const bias = weights['dense/bias']
  const next = (by: number): [Node, Node] => [bias, ops.add(bias, by)]
  const goals = { outputs: { y: outputs['output'] }, updates: [next(1)] }
  const running = net.run(goals, Float32Array.of(1, 2))
  goals.outputs.y = ops.mul(outputs['output'], 100)
  goals.updates[0][1] = ops.add(bias, 5)
  goals.updates.push(next(7))
  assert.deepEqual([...(await running).y], [3])
  assert.deepEqual([...(await net.weights())['dense/bias']], [1])
  goals.updates.length = 1
  assert.deepEqual([...(await net.run(goals, Float32Array.of(1, 2))).y], [400])
  assert.deepEqual([...(await net.weights())['dense/bias']], [6])
})

test('what is drawn follows from the seed alone: a training in between changes nothing', async () => {
  const net = sequential({ inputShape: [3], engine: 'reference' }, [dropout({ rate: 0.5 }), dense({ units: 2 })])
  const goals = { outputs: { y: net.graph({ batch: 8, mode: 'train' }).layers['dropout'].output } }
  const x = new Float32Array(24).fill(1)
  const before = await net.run(goals, x, { seed: 4 })
  await net.fit(points(12), { steps: 3 })
  assert.deepEqual(await net.run(goals, x, { seed: 4 }), before)
  assert.notDeepEqual(await net.run(goals, x, { seed: 5 }), before)
})

const single = () => sequential({ inputShape: [2] }, [dense({ units: 1 })])
/** Goals with something else in them. */
const whole = (net: Model, more: object) => ({ outputs: net.graph().outputs, ...more })
const refusals: readonly [
  what: string,
  act: (net: Model) => unknown,
  code: 'E_OPTION' | 'E_SHAPE' | 'E_MISMATCH' | 'E_GRAPH',
  ...words: string[],
][] = [
  ['half a sample', (net) => net.graph({ batch: 0.5 }), 'E_OPTION', 'batch'],
  ['a mode that there is not', (net) => net.graph({ mode: 'test' as never }), 'E_OPTION', "'infer', 'train'"],
  [
    'too few values',
    (net) => net.run({ outputs: net.graph().outputs }, Float32Array.of(1)),
    'E_SHAPE',
    'input_layer',
    '[1, 2]',
  ],
  ['no values', (net) => net.run({ outputs: net.graph().outputs }, {}), 'E_MISMATCH', 'input_layer'],
  [
    'a list',
    (net) => net.run({ outputs: net.graph().outputs }, { input_layer: [1, 2] as never }),
    'E_MISMATCH',
    'Float32Array',
  ],
  [
    'values that nobody needs',
    (net) => net.run({ outputs: net.graph().outputs }, { input_layer: new Float32Array(2), z: new Float32Array(1) }),
    'E_SHAPE',
    "'z'",
  ],
  [
    'a placeholder without a value',
    (net) =>
      net.run({ outputs: { y: ops.add(net.graph().outputs['output'], placeholder('z', [])) } }, new Float32Array(2)),
    'E_MISMATCH',
    "'z'",
  ],
  ['no goals', (net) => net.run(undefined as never, new Float32Array(2)), 'E_OPTION', 'outputs'],
  [
    'a placeholder that is called as an input of the model',
    (net) => {
      const y = ops.add(net.graph().outputs['output'], placeholder('input_layer', [1, 1]))
      return net.run({ outputs: { y } }, { input_layer: new Float32Array(2) })
    },
    'E_GRAPH',
    "'input_layer'",
    'another name',
  ],
  [
    'updates that are no list',
    (net) => net.run(whole(net, { updates: 5 }), new Float32Array(2)),
    'E_OPTION',
    'updates',
  ],
  [
    'an update that is no pair',
    (net) => net.run(whole(net, { updates: [5] }), new Float32Array(2)),
    'E_OPTION',
    'pair',
  ],
  [
    'an update of no node',
    (net) => net.run(whole(net, { updates: [[net.graph().weights['dense/bias'], 5]] }), new Float32Array(2)),
    'E_OPTION',
    'next value',
  ],
  ['float32 that is no list', (net) => net.run(whole(net, { float32: 5 }), new Float32Array(2)), 'E_OPTION', 'float32'],
  ['float32 of no nodes', (net) => net.run(whole(net, { float32: [5] }), new Float32Array(2)), 'E_OPTION', 'float32'],
  [
    'an output that only looks like a node',
    (net) => net.run({ outputs: { y: { op: 1, inputs: [] } as never } }, new Float32Array(2)),
    'E_OPTION',
    "'y'",
  ],
  ['an output that is no node', (net) => net.run({ outputs: { y: 3 as never } }, new Float32Array(2)), 'E_OPTION', 'y'],
]
for (const [what, act, code, ...words] of refusals)
  test(`${what}: refused`, async () => {
    await assert.rejects(async () => act(single()), failure(code, ...words))
  })
test('goals over the graph of a model with other inputs: refused', async () => {
  const x = input([2], { name: 'other' })
  const other = model(x, dense({ units: 1 })(x))
  await assert.rejects(
    single().run({ outputs: other.graph().outputs }, new Float32Array(2)),
    failure('E_GRAPH', 'other'),
  )
})

test('goals over the graph of another model of the same names: refused, whatever part of it they need', async () => {
  const [a, b] = [single(), single()]
  const graph = a.graph()
  const x = new Float32Array(2)
  const refused = failure('E_GRAPH', 'another model', 'goals are run by the model whose graph they belong to')
  const bias = graph.weights['dense/bias']
  await assert.rejects(b.run({ outputs: graph.outputs }, x), refused)
  await assert.rejects(b.run({ outputs: { w: graph.weights['dense/kernel'] } }, x), refused)
  await assert.rejects(b.run({ outputs: { x: graph.inputs['input_layer'] } }, x), refused)
  await assert.rejects(
    b.run({ outputs: {}, updates: [[bias, ops.add(b.graph().weights['dense/bias'], 1)]] }, x),
    refused,
  )
  await b.run({ outputs: b.graph().outputs }, x)
})

test('goals run on any part that shares the weights, before and after a move', async () => {
  const net = small()
  const { layers: nodes } = net.graph()
  const goals = { outputs: { maps: nodes['conv2d'].output } }
  const wanted = await net.run(goals, picture())
  assert.deepEqual(await net.features('conv2d').run(goals, picture()), wanted)
  await net.moveTo({ engine: 'reference' })
  near((await net.run(goals, picture())).maps, wanted.maps, 1e-5)
})
