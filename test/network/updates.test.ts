/** Training steps written by hand: they take the steps of `fit`, on every engine, with any optimizer; what is wrong is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node } from '../../src/index.ts'
import {
  compile,
  constant,
  fromArrays,
  gradients,
  initialValues,
  layers,
  losses,
  openEngine,
  ops,
  placeholder,
  State,
  sequential,
  updates,
  variable,
} from '../../src/index.ts'
import { lossNames, lossPerSample, settleLoss } from '../../src/nn/losses.ts'
import type { Optimizer } from '../../src/nn/optimizers.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

const { conv2d, maxPool, relu, add, matmul, reshape, mean, dropout, argmax, equal } = ops
const pixels = Float32Array.from({ length: 8 * 64 }, (_, i) => Math.sin(i * 1.7))
const classes = Int32Array.from({ length: 8 }, (_, i) => i % 3)

/** The lecture's network, small: two weights of a convolution, two of a dense layer, as nodes. */
function lecture(batch: number) {
  const shapes = { 'conv/kernel': [3, 3, 1, 4], 'conv/bias': [4], 'out/kernel': [64, 3], 'out/bias': [3] }
  const [W1, b1, W2, b2] = Object.entries(shapes).map(([name, shape]) => variable(name, shape))
  const [x, y] = [placeholder('x', [batch, 8, 8, 1]), placeholder('y', [batch], 'int32')]
  const h = maxPool(relu(add(conv2d(x, W1, { padding: 'same' }), b1)), { window: 2 })
  const logits = add(matmul(reshape(h, { shape: [-1, 4 * 4 * 4] }), W2), b2)
  return { weights: [W1, b1, W2, b2], shapes, x, y, logits }
}

const make = () =>
  sequential({ inputShape: [8, 8, 1], seed: 3, engine: 'reference' }, [
    layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu', name: 'conv' }),
    layers.maxPooling2d(),
    layers.flatten(),
    layers.dense({ units: 3, name: 'out' }),
  ])

const optimizers: readonly Optimizer[] = [
  'adam',
  { type: 'sgd', momentum: 0.9, weightDecay: 0.1, globalClipnorm: 0.5 },
  { type: 'adamW', useEma: true, gradientAccumulationSteps: 2, amsgrad: true },
  { type: 'rmsprop', groups: [{ names: ['conv', '*/bias'], learningRateFactor: 0.5, weightDecay: 0.1 }] },
]
for (const engine of ['reference', ...fastEngines] as const) {
  for (const optimizer of optimizers) {
    test(`${engine}: four steps by hand are those of fit: ${JSON.stringify(optimizer)}`, async () => {
      const opened = await openEngine({ engine, threads: 2 })
      const net = make()
      const start = await net.weights()
      const { weights, shapes, logits, y } = lecture(8)
      const state = new State(opened)
      for (const [name, shape] of Object.entries(shapes))
        await state.add(name, { shape, dtype: 'float32' }, () => start[name])
      const loss = mean(losses.sparseCategoricalCrossentropy(logits, y))
      const rule = updates(optimizer, loss, weights)
      await rule.begin(state)
      const isAveraged = typeof optimizer === 'object' && optimizer.useEma
      if (isAveraged)
        for (const name of Object.keys(shapes))
          assertClose(
            await state.read(`/optimizer/adamW/average/${name}`),
            start[name],
            1e-7,
            `the first average of ${name}`,
          )
      const accuracy = mean(equal(argmax(logits, -1), y))
      const step = compile(state, { outputs: { loss, accuracy }, updates: rule.updates })
      const data = fromArrays({
        name: 'pictures',
        inputs: { x: { shape: [8, 8, 1], data: pixels } },
        targets: { y: { shape: [], data: classes } },
      })
      const { history } = await net.fit(data, { epochs: 4, batchSize: 8, shuffle: false, optimizer })
      for (let i = 0; i < 4; i++) {
        const seen = await step.run({ x: pixels, y: classes, ...rule.rates(i) })
        for (const log of ['loss', 'accuracy'])
          assert.ok(Math.abs(seen[log][0] - history[log][i]) < 1e-5, `${log} of step ${i}`)
      }
      for (const [name, weight] of Object.entries(await net.weights()))
        assertClose(await state.read(isAveraged ? `/optimizer/adamW/average/${name}` : name), weight, 1e-5, name)
      await opened.close()
    })
  }
}

test('one program has two optimizers, each with its own numbers', async () => {
  const opened = await openEngine({ engine: 'reference' })
  const run = async (isTogether: boolean) => {
    const state = new State(opened)
    await state.add('a', { shape: [2], dtype: 'float32' }, () => Float32Array.of(1, 2))
    await state.add('b', { shape: [2], dtype: 'float32' }, () => Float32Array.of(3, 4))
    const [a, b] = [variable('a', [2]), variable('b', [2])]
    // what one does is nothing to the other
    const loss = add(ops.sum(ops.square(a)), ops.sum(ops.square(b)))
    const slow = updates({ type: 'adam', learningRate: 0.01 }, loss, [a], { name: 'slow' })
    const fast = updates({ type: 'adam', learningRate: 0.5 }, loss, [b], { name: 'fast' })
    for (const one of [slow, fast]) await one.begin(state)
    const sets = isTogether ? [[...slow.updates, ...fast.updates]] : [slow.updates, fast.updates]
    const programs = sets.map((pairs) => compile(state, { outputs: {}, updates: pairs }))
    for (let i = 0; i < 3; i++) for (const one of programs) await one.run({ ...slow.rates(i), ...fast.rates(i) })
    return [...(await state.read('a')), ...(await state.read('b'))]
  }
  const together = await run(true)
  assert.deepEqual(together, await run(false))
  assert.ok(Math.abs(together[0] - 0.97) < 1e-3 && Math.abs(together[1] - 1.97) < 1e-3)
  assert.ok(together[2] < 2.2 && together[3] < 3.2)
  await opened.close()
})

test('a schedule ends with the steps that are said; a rate of the call wins', async () => {
  const w = variable('w', [1])
  const line = { type: 'polynomialDecay', initialLearningRate: 1, endLearningRate: 0 } as const
  const rule = updates({ type: 'sgd', learningRate: line }, ops.sum(w), [w], { steps: 4 })
  assert.deepEqual(
    [0, 2, 3].map((i) => rule.rates(i)),
    [1, 0.5, 0.25].map((x) => ({ 'rate/learningRate': Float32Array.of(x) })),
  )
  assert.deepEqual(rule.rates(2, 8), { 'rate/learningRate': Float32Array.of(8) })
  assert.throws(
    () => updates({ type: 'sgd', learningRate: line }, ops.sum(w), [w]),
    failure('E_OPTION', "needs 'steps'"),
  )
})

for (const [what, call, code, says] of [
  ['no variables', (w) => updates('sgd', ops.sum(w), []), 'E_GRAPH', 'needs variables'],
  ['what is no variable', (w) => updates('sgd', ops.sum(w), [ops.neg(w)]), 'E_GRAPH', 'needs variables'],
  ['a loss that is no scalar', (w) => updates('sgd', w, [w]), 'E_GRAPH', 'only a scalar'],
  ['an unknown optimizer', (w) => updates('adams' as never, ops.sum(w), [w]), 'E_OPTION', 'unknown optimizer'],
  [
    'a group of nobody',
    (w) => updates({ type: 'sgd', groups: [{ names: ['v'] }] }, ops.sum(w), [w]),
    'E_OPTION',
    'names no weight',
  ],
  ['a step below 0', (w) => updates('sgd', ops.sum(w), [w]).rates(-1), 'E_OPTION', "'step' is wrong"],
  [
    'labels of another kind',
    (w) => losses.sparseCategoricalCrossentropy(reshape(w, { shape: [1, 2] }), constant(Float32Array.of(1))),
    'E_MISMATCH',
    'labels do not fit',
  ],
  [
    'labels of another batch',
    (w) => losses.meanSquaredError(reshape(w, { shape: [1, 2] }), constant(new Float32Array(4), [2, 2])),
    'E_MISMATCH',
    'labels do not fit',
  ],
  [
    'an unknown option of a loss',
    (w) => losses.huber(reshape(w, { shape: [1, 2] }), reshape(w, { shape: [1, 2] }), { deltas: 1 } as never),
    'E_OPTION',
    "'deltas'",
  ],
  [
    'conv2d of a sequence',
    (w) => conv2d(reshape(w, { shape: [1, 2, 1] }), reshape(w, { shape: [2, 1, 1] })),
    'E_SHAPE',
    'conv2d',
  ],
] as readonly [string, (w: Node) => unknown, 'E_GRAPH' | 'E_OPTION' | 'E_MISMATCH' | 'E_SHAPE', string][]) {
  test(`refused: ${what}`, () => {
    assert.throws(() => call(variable('w', [2])), failure(code, says))
  })
}

test('losses are those of the table, a number per sample', () => {
  const shapes: Readonly<Record<string, readonly [number[], number[], 'int32' | 'float32']>> = {
    sparseCategoricalCrossentropy: [[4, 3], [4], 'int32'],
    sparseCategoricalFocalCrossentropy: [[4, 3], [4], 'int32'],
  }
  assert.deepEqual(Object.keys(losses), lossNames)
  for (const type of lossNames) {
    const [logits, target, dtype] = shapes[type] ?? [[4, 3], [4, 3], 'float32']
    const [x, y] = [placeholder('x', logits), placeholder('y', target, dtype)]
    assert.deepEqual(losses[type](x, y), lossPerSample(settleLoss(type), x, y))
  }
})

test('windows: what is left out, and one number for all axes', () => {
  const x = placeholder('x', [2, 9, 8, 3])
  const kernel = placeholder('k', [3, 2, 3, 5])
  assert.deepEqual(conv2d(x, kernel).shape, [2, 7, 7, 5])
  assert.deepEqual(conv2d(x, kernel, { strides: 2, padding: 'same' }).shape, [2, 5, 4, 5])
  const whole = { strides: [2, 1], dilation: [1, 1], padding: 'valid', groups: 1 } as const
  assert.deepEqual(conv2d(x, kernel, { strides: [2, 1] }), ops.convolution(x, kernel, whole))
  assert.deepEqual(maxPool(x, { window: 3 }), maxPool(x, { window: [3, 3], strides: [3, 3], padding: 'valid' }))
  assert.deepEqual(ops.averagePool(x, { window: [3, 2], strides: 1, padding: 'same' }).shape, [2, 9, 8, 3])
  assert.deepEqual(
    ops.conv1d(placeholder('x', [2, 9, 3]), placeholder('k', [3, 3, 4]), { dilation: 2 }).shape,
    [2, 5, 4],
  )
})

test('dropout: the mask follows from key and stream, kept values are scaled, nothing is done at a rate of 0', async () => {
  const opened = await openEngine({ engine: 'reference' })
  const [x, key] = [placeholder('x', [64, 64]), placeholder('key', [4], 'int32')]
  assert.equal(dropout(x, { rate: 0, key }), x)
  const masks = { a: dropout(x, { rate: 0.25, key }), b: dropout(x, { rate: 0.25, key, stream: 1 }) }
  const ones = new Float32Array(64 * 64).fill(1)
  const at = (step: number) => evaluate(opened, { outputs: masks }, { x: ones, key: Int32Array.of(7, 0, step, 0) })
  const [first, again, next] = [await at(0), await at(0), await at(1)]
  assert.deepEqual(first, again)
  assert.notDeepEqual(first['a'], first['b'])
  assert.notDeepEqual(first['a'], next['a'])
  assert.ok(first['a'].every((value) => value === 0 || Math.abs(value - 4 / 3) < 1e-6))
  const dropped = first['a'].filter((value) => value === 0).length / ones.length
  assert.ok(Math.abs(dropped - 0.25) < 0.03, `${dropped}`)
  await opened.close()
})

test('first values by hand are those of initializers, other places have others', () => {
  const shape = [64, 32]
  const limit = Math.sqrt(6 / 96)
  const values = initialValues(shape, { seed: 5 })
  assert.ok(values.every((x) => Math.abs(x) <= limit) && Math.max(...values) > limit * 0.95)
  assert.deepEqual(values, initialValues(shape, { seed: 5, place: 0, initializer: 'glorotUniform' }))
  assert.notDeepEqual(values, initialValues(shape, { seed: 5, place: 1 }))
  assert.deepEqual(initialValues([2], { initializer: { type: 'constant', value: 0.5 } }), Float32Array.of(0.5, 0.5))
})

test('gradients of any scalar by any value: the output of a layer, the picture', async () => {
  const model = make()
  const { logits, layers: nodes, inputs, weights } = model.graph({ batch: 2 })
  const score = ops.sum(ops.mul(logits['output'], placeholder('wanted', [2, 3])))
  const { conv, max_pooling2d: pool } = nodes
  const [byMaps, byPool, byImage] = gradients(score, [conv.output, pool.output, inputs['input_layer']])
  assert.deepEqual(byImage.shape, [2, 8, 8, 1])
  assert.deepEqual(byMaps.shape, [2, 8, 8, 4])
  const given = { input_layer: pixels.slice(0, 128), wanted: Float32Array.of(1, 0, 0, 0, 1, 0) }
  const { maps, pooled, kernel } = await model.run(
    { outputs: { maps: byMaps, pooled: byPool, kernel: weights['out/kernel'] } },
    given,
  )
  // the score is linear in what the dense layer reads: its gradient is a column of the kernel
  pooled.forEach((slope, i) => {
    assert.ok(Math.abs(slope - kernel[(i % 64) * 3 + (i < 64 ? 0 : 1)]) < 1e-12)
  })
  // every window of 2 x 2 passes its gradient on to one place
  const total = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0)
  assert.ok(Math.abs(total(maps) - total(pooled)) < 1e-9)
  assert.equal(maps.filter((x) => x !== 0).length, 128)
})

test('second derivatives: the length of the gradient for the picture, by a kernel, held to differences', async () => {
  const model = sequential({ inputShape: [8, 8, 1], seed: 3, engine: 'reference' }, [
    layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'tanh', name: 'conv' }),
    layers.averagePooling2d(),
    layers.flatten(),
    layers.dense({ units: 3, name: 'out' }),
  ])
  const { logits, inputs, weights } = model.graph({ batch: 2 })
  const score = ops.sum(ops.mul(logits['output'], placeholder('wanted', [2, 3])))
  const given = { input_layer: pixels.slice(0, 128), wanted: Float32Array.of(1, 0, 0, 0, 1, 0) }
  const [byImage] = gradients(score, [inputs['input_layer']])
  const penalty = ops.sum(ops.square(byImage))
  const [second] = gradients(penalty, [weights['conv/kernel']])
  const at = async (values: Float32Array) => {
    await model.setWeights({ 'conv/kernel': values })
    return model.run({ outputs: { penalty, second } }, given)
  }
  const { 'conv/kernel': start } = await model.weights()
  const { second: slopes } = await at(start)
  const shifted = (by: number) => at(start.map((w, i) => (i === 5 ? w + by : w)))
  const [up, down] = [await shifted(2 ** -10), await shifted(-(2 ** -10))]
  const difference = (up.penalty[0] - down.penalty[0]) / 2 ** -9
  assert.ok(Math.abs(difference - slopes[5]) < 1e-4 * Math.max(1, Math.abs(difference)), `${difference}, ${slopes[5]}`)
})
