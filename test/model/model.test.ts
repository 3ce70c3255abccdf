/** Models as a user meets them: wiring, training, judging, asking, saving; and what is refused. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { uniforms } from '../../src/base/random.ts'
import type { Progress, Tensor } from '../../src/index.ts'
import { fromArrays, input, layers, loadModel, model, modelFrom, sequential, take } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { judged, settings, small, train } from '../support/small-model.ts'

const { conv2d, maxPooling2d, averagePooling2d, flatten, dense, dropout, activation, reshape, concatenate, add } =
  layers
const folder = await mkdtemp(join(tmpdir(), 'fovea-model-'))
after(() => rm(folder, { recursive: true }))

const flat = (units: number) => sequential([flatten(), dense({ units })])
/** A few samples of four floats, told apart by these targets. */
const floats = (count: number, targets: Int32Array | Uint8Array | Float32Array = new Int32Array(count), value = 1) =>
  fromArrays({
    name: 'floats',
    inputs: { x: { shape: [4], data: new Float32Array(count * 4).fill(value) } },
    targets: { y: { shape: targets.length > count ? [targets.length / count] : [], data: targets } },
  })

test('fit learns, reports each epoch and batch, and trains on the smaller last batch', async () => {
  const net = small()
  const seen: Progress[] = []
  const history = await net.fit(train, {
    ...settings,
    epochs: 12,
    learningRate: 0.004,
    validationSplit: 0.2,
    callbacks: [{ onBatchEnd: (progress) => void seen.push(progress) }],
  })
  assert.equal(history.ended, 'finished')
  assert.equal(history.epochs.length, 12)
  assert.deepEqual(Object.keys(history.history).sort(), ['accuracy', 'loss', 'val_accuracy', 'val_loss'])
  assert.equal(history.steps, 12 * Math.ceil((330 * 0.8) / 64))
  assert.equal(seen.length, history.steps)
  assert.equal(seen[4].batches, 5)
  assert.ok(history.history['loss'][11] < 0.5 * history.history['loss'][0], 'the loss falls')
  assert.ok((await net.evaluate(judged))['accuracy'] > 0.5)
})

test('same seed: the same weights for 1, 2 and 4 threads; another seed: others', async () => {
  const bytes = async (threads: number, seed = 5): Promise<Uint8Array> => {
    const net = small({ engine: 'wasm', threads })
    await net.fit(train, { ...settings, seed })
    return net.toBytes()
  }
  const [one, two, four, other] = [await bytes(1), await bytes(2), await bytes(4), await bytes(2, 6)]
  assert.deepEqual(one, two)
  assert.deepEqual(one, four)
  assert.notDeepEqual(one, other)
})

test('wasm and reference agree over whole epochs, dropout and shuffling included', async () => {
  const losses = async (engine: 'wasm' | 'reference') =>
    (await small().fit(take(train, 100), { ...settings, engine, batchSize: 32 })).history['loss']
  const [wasm, reference] = [await losses('wasm'), await losses('reference')]
  for (const [i, loss] of wasm.entries()) assert.ok(Math.abs(loss - reference[i]) < 1e-4, `${loss} and ${reference[i]}`)
})

test('fit goes on where it stopped, and a model moves between engines with its optimizer', async () => {
  const once = small()
  const twice = small()
  await once.fit(train, settings)
  await twice.fit(train, { ...settings, epochs: 1 })
  await twice.fit(train, { ...settings, epochs: 1 })
  assert.deepEqual(await twice.weights(), await once.weights())
  const before = await once.evaluate(judged)
  await once.moveTo({ engine: 'reference' })
  assert.equal((await once.engine()).name, 'reference')
  const moved = await once.evaluate(judged)
  assert.ok(Math.abs(before['loss'] - moved['loss']) < 1e-5)
})

test('evaluation does not depend on the batch size, and a padded last batch counts for nothing', async () => {
  const net = small()
  await net.fit(train, { ...settings, epochs: 1 })
  const [whole, ...others] = [
    await net.evaluate(judged, { batchSize: 70 }),
    await net.evaluate(judged, { batchSize: 32 }),
    await net.evaluate(judged, { batchSize: 1 }),
  ]
  for (const other of others) {
    assert.equal(other['accuracy'], whole['accuracy'])
    assert.ok(Math.abs(other['loss'] - whole['loss']) < 1e-5)
  }
})

test('predict gives probabilities, the same for bytes and scaled floats, softmax applied once', async () => {
  const withSoftmax = small()
  await withSoftmax.fit(train, settings)
  const pixels = new Uint8Array(3 * 784)
  await judged.read([0, 1, 2], { inputs: { image: pixels }, targets: { label: new Int32Array(3) } })
  const fromBytes = await withSoftmax.predict(pixels)
  const fromFloats = await withSoftmax.predict(Float32Array.from(pixels, (x) => x / 255))
  assert.deepEqual(fromBytes.shape, [3, 10])
  for (const [i, value] of fromBytes.data.entries()) assert.ok(Math.abs(value - fromFloats.data[i]) < 1e-6)
  const sums = [0, 1, 2].map((row) => fromBytes.data.subarray(row * 10, row * 10 + 10).reduce((a, b) => a + b, 0))
  for (const total of sums) assert.ok(Math.abs(total - 1) < 1e-5)
  const [best, second] = fromBytes.top(2, 1)
  assert.equal(best.index, fromBytes.classes[1])
  assert.equal(best.className, String(best.index))
  assert.ok(best.probability >= second.probability)

  const logits = sequential({ inputShape: [28, 28, 1], seed: 1 }, [
    conv2d({ filters: 8, kernelSize: 5, strides: 2, activation: 'relu' }),
    maxPooling2d(),
    flatten(),
    dropout({ rate: 0.25 }),
    dense({ units: 10 }),
  ])
  await logits.fit(train, settings)
  assert.deepEqual((await logits.predict(pixels)).data, fromBytes.data)
})

test('one-hot targets train as class indices do', async () => {
  const images = new Uint8Array(100 * 784)
  const labels = new Int32Array(100)
  await train.read(
    Uint32Array.from({ length: 100 }, (_, i) => i),
    { inputs: { image: images }, targets: { label: labels } },
  )
  const rows = new Float32Array(1000)
  labels.forEach((label, i) => {
    rows[i * 10 + label] = 1
  })
  const image = { shape: [28, 28, 1], data: images }
  const sparse = await small().fit(
    fromArrays({ name: 'sparse', inputs: { image }, targets: { y: { shape: [], data: labels } } }),
    settings,
  )
  const oneHot = await small().fit(
    fromArrays({ name: 'one-hot', inputs: { image }, targets: { y: { shape: [10], data: rows } } }),
    settings,
  )
  assert.deepEqual(oneHot.history, sparse.history)
})

/** Two views of one number pattern, told apart by two heads. */
function twoHeads() {
  const n = 96
  const draw = uniforms({ seed: 3, stream: 0 }, n * 32)
  const side = Int32Array.from({ length: n }, (_, i) => i % 2)
  const third = Int32Array.from({ length: n }, (_, i) => i % 3)
  const left = Float32Array.from({ length: n * 16 }, (_, i) => draw[i] + side[Math.floor(i / 16)])
  const right = Float32Array.from({ length: n * 16 }, (_, i) => draw[n * 16 + i] * (1 + third[Math.floor(i / 16)]))
  return fromArrays({
    name: 'pairs',
    inputs: { left: { shape: [4, 4, 1], data: left }, right: { shape: [4, 4, 1], data: right } },
    targets: { side: { shape: [], data: side }, third: { shape: [], data: third } },
  })
}

test('a functional model: named inputs and outputs, a shared layer, branches that meet', async () => {
  const [left, right] = [input([4, 4, 1], { name: 'left' }), input([4, 4, 1], { name: 'right' })]
  const eye = conv2d({ filters: 6, kernelSize: 3, padding: 'same', activation: 'tanh', name: 'eye' })
  const both = concatenate()(eye(left), averagePooling2d({ poolSize: 3, strides: 1, padding: 'same' })(eye(right)))
  const mixed = add()(conv2d({ filters: 12, kernelSize: 1 })(both), both)
  const features = activation({ activation: 'selu' })(dense({ units: 16 })(flatten()(mixed)))
  const net = model(
    { left, right },
    { side: dense({ units: 2, name: 'a' })(features), third: dense({ units: 3 })(features) },
    { seed: 4 },
  )
  assert.equal(Object.keys(await net.weights()).filter((name) => name.startsWith('eye/')).length, 2)
  const history = await net.fit(twoHeads(), { epochs: 12, batchSize: 32, learningRate: 0.01 })
  assert.deepEqual(Object.keys(history.history).sort(), [
    'loss',
    'side_accuracy',
    'side_loss',
    'third_accuracy',
    'third_loss',
  ])
  assert.ok(history.history['side_accuracy'][11] > 0.95)
  const summed = history.history['side_loss'][3] + history.history['third_loss'][3]
  assert.ok(Math.abs(history.history['loss'][3] - summed) < 1e-5)
  const again = modelFrom(await net.toBytes())
  assert.deepEqual(await again.evaluate(twoHeads()), await net.evaluate(twoHeads()))
  assert.equal(again.summary(), modelFrom(await again.toBytes()).summary())
  assert.ok(net.summary().includes('Connected to'))
})

test('a sequential model without an input shape is wired when it sees data', async () => {
  const net = sequential([reshape({ targetShape: [784] }), dense({ units: 10 })])
  assert.ok(net.summary().includes('0 (unbuilt)'))
  assert.throws(() => net.network, failure('E_MODEL', 'inputShape'))
  await net.fit(train, settings)
  assert.ok(net.summary().includes('7,850'))
})

/** What is wrong, and the words that must lead out of it. */
const mistakes: [name: string, code: Parameters<typeof failure>[0], words: string[], action: () => unknown][] = [
  [
    'a misspelt option',
    'E_OPTION',
    ["'kernelsize'", "did you mean 'kernelSize'?"],
    () => conv2d({ filters: 1, kernelsize: 3 } as never),
  ],
  ['a missing option', 'E_OPTION', ["'filters' is missing"], () => conv2d({ kernelSize: 3 } as never)],
  [
    'a wrong value',
    'E_OPTION',
    ["'padding'", "'valid', 'same'", "'full'"],
    () => conv2d({ filters: 1, kernelSize: 3, padding: 'full' as never }),
  ],
  ['positional arguments', 'E_OPTION', ['one object'], () => (conv2d as (...x: unknown[]) => unknown)(64, 3, 3)],
  [
    'dense on images, for class indices',
    'E_MISMATCH',
    [
      'expected outputs of one axis, as [classes], got int32 [] targets, [28, 28, 10] outputs',
      'end the model in flatten()',
    ],
    () => sequential({ inputShape: [28, 28, 1] }, [dense({ units: 10 })]).check(train),
  ],
  [
    'an image too small',
    'E_SHAPE',
    ['window', '[2, 2]'],
    () => sequential({ inputShape: [2, 2, 1] }, [conv2d({ filters: 1, kernelSize: 3 })]),
  ],
  [
    'groups that do not divide',
    'E_OPTION',
    ['groups'],
    () => sequential({ inputShape: [8, 8, 3] }, [conv2d({ filters: 4, kernelSize: 3, groups: 2 })]),
  ],
  [
    'two layers of one name',
    'E_MODEL',
    ['a'],
    () => sequential({ inputShape: [4] }, [dense({ units: 2, name: 'a' }), dense({ units: 2, name: 'a' })]),
  ],
  ['no layers', 'E_MODEL', ['list of layers'], () => sequential([])],
  [
    'an input that is not named',
    'E_MODEL',
    ['does not name'],
    () => model(input([2]), add()(dense({ units: 2 })(input([2])), input([2]))),
  ],
  ['add of unequal shapes', 'E_SHAPE', ['[4]', '[3]'], () => add()(input([4]), input([3]))],
  ['add of one', 'E_MODEL', ['two or more'], () => add()(input([4]))],
  ['an epoch too few', 'E_OPTION', ["'epochs'", 'integer >= 1'], () => small().fit(train, { epochs: 0 })],
  ['an unknown optimizer', 'E_OPTION', ['adam'], () => small().fit(train, { optimizer: 'adm' as never })],
  [
    "an optimizer's wrong option",
    'E_OPTION',
    ['beta1'],
    () => small().fit(train, { optimizer: { type: 'adam', beta_1: 0.5 } as never }),
  ],
  [
    'images of another size',
    'E_SHAPE',
    ['[28, 28, 1]', '[16, 16, 1]'],
    () => small({ inputShape: [16, 16, 1] }).fit(train),
  ],
  [
    'labels beyond the outputs',
    'E_LABEL',
    ['sample', '0 to 2'],
    () => {
      const image = { shape: [4], data: new Float32Array(8) }
      const label = { shape: [], data: Int32Array.of(1, 3) }
      return sequential({ inputShape: [4] }, [dense({ units: 3 })]).fit(
        fromArrays({ name: 'few', inputs: { image }, targets: { label } }),
      )
    },
  ],
  [
    'a loss that does not fit',
    'E_MISMATCH',
    ['categoricalCrossentropy', '[10]'],
    () => small().fit(train, { loss: 'categoricalCrossentropy' }),
  ],
  ['an unknown engine', 'E_OPTION', ['engine'], () => small().fit(train, { engine: 'cuda' as never })],
  ['an unknown precision', 'E_OPTION', ['mixed_bfloat16'], () => small().fit(train, { precision: 'half' as never })],
  ['samples that fill no image', 'E_SHAPE', ['[28, 28, 1]'], () => small().predict(new Uint8Array(100))],
  ['weights of no layer', 'E_MODEL', ['conv2d/kernel'], () => small().setWeights({ nothing: new Float32Array(1) })],
  ['both parts', 'E_MISMATCH', ['did you mean its part .train'], () => small().fit({ train, test: judged } as never)],
  ['no dataset', 'E_MISMATCH', ['needs a dataset'], () => small().evaluate(undefined as never)],
  [
    'a function as a callback',
    'E_OPTION',
    ['onEpochEnd'],
    () => small().fit(train, { callbacks: [() => {}] as never }),
  ],
  ['a misspelt extra', 'E_OPTION', ["did you mean 'callbacks'?"], () => small().fit(train, { callback: [] } as never)],
  ['more outputs than classes', 'E_MISMATCH', ['10', '12'], () => flat(12).fit(train)],
  [
    'other data to validate',
    'E_SHAPE',
    ['[28, 28, 1]', '[4]'],
    () => small().fit(train, { validationData: floats(2) }),
  ],
  ['a plain list of samples', 'E_MISMATCH', ['Float32Array.from'], () => small().predict([1, 2] as never)],
  [
    'a decoded picture as samples',
    'E_MISMATCH',
    ['preprocess'],
    () => small().predict({ width: 1, data: [] } as never),
  ],
  ['no samples at all', 'E_SHAPE', ['0 elements'], () => small().predict(new Uint8Array(0))],
  ['bytes as labels', 'E_MISMATCH', ['Int32Array.from'], () => flat(3).fit(floats(2, new Uint8Array(2)))],
  [
    'rows that are no probabilities',
    'E_LABEL',
    ['of sample', 'sum'],
    () => flat(3).fit(floats(2, new Float32Array(6))),
  ],
  ['a loss that is none', 'E_OPTION', ['unknown loss'], () => small().evaluate(train, { loss: 'mse' as never })],
  [
    'a loss for no output',
    'E_OPTION',
    ['nope'],
    () => small().fit(train, { loss: { nope: 'categoricalCrossentropy' } }),
  ],
  ['a layer on a layer', 'E_MODEL', ['input(...)'], () => flatten()(dense({ units: 3 }) as never)],
  [
    'an object of inputs and outputs',
    'E_MODEL',
    ['model(x, y)'],
    () => model({ inputs: input([2]) }, undefined as never),
  ],
  [
    'two inputs of one name',
    'E_MODEL',
    ["'a'"],
    () => model([input([2], { name: 'a' }), input([2], { name: 'a' })], input([2])),
  ],
  ['samples joined', 'E_SHAPE', ['mix samples'], () => concatenate({ axis: -4 })(input([2, 2, 1]), input([2, 2, 1]))],
  ['a slash in a name', 'E_OPTION', ["'name'"], () => dense({ units: 1, name: 'a/b' })],
  ['a file that is not there', 'E_IO', ['nowhere'], () => loadModel(join(folder, 'nowhere'))],
]
for (const [name, code, words, action] of mistakes) {
  test(`refused with a way out: ${name}`, async () => {
    await assert.rejects(async () => action(), failure(code, ...words))
  })
}

test('an abort signal ends training after the step at hand; the model stays usable', async () => {
  const net = small()
  const stop = new AbortController()
  const history = await net.fit(train, {
    ...settings,
    epochs: 50,
    signal: stop.signal,
    callbacks: [{ onBatchEnd: ({ step }) => void (step === 8 && stop.abort()) }],
  })
  assert.equal(history.ended, 'aborted')
  assert.ok(history.steps >= 8 && history.steps <= 11, `${history.steps}`)
  assert.ok((await net.evaluate(judged))['loss'] > 0)
})

test('steps bound the training; a predict during a fit is queued, a second fit or a move is refused', async () => {
  const net = small()
  const asked = Promise.withResolvers<void>() // the training waits in its third step until all is asked
  const onBatchEnd = ({ step }: Progress) => (step === 3 ? asked.promise : undefined)
  const fitting = net.fit(train, { ...settings, epochs: 9, steps: 7, callbacks: [{ onBatchEnd }] })
  const answers = await net.predict(new Uint8Array(784))
  assert.deepEqual(answers.shape, [1, 10])
  await assert.rejects(net.fit(train, settings), failure('E_MODEL', 'while it is being trained'))
  await assert.rejects(net.moveTo({ engine: 'reference' }), failure('E_MODEL', 'while it is being trained'))
  asked.resolve()
  assert.equal((await fitting).steps, 7)
})

test('a closed model says so', async () => {
  const net = small()
  await net.fit(train, settings)
  await net.close()
  await assert.rejects(net.evaluate(judged), failure('E_CLOSED', 'closed'))
})

/** Steps that must be refused: the weights stay as they were, to the bit, also where the next step was under way. */
const poisons: [name: string, value: number, optimizer: 'adam' | { type: 'sgd'; learningRate: number }][] = [
  ['a NaN among the inputs', Number.NaN, 'adam'],
  ["squares that overflow in Adam's state", 1e22, 'adam'],
  ['a step that overflows the weights', 100, { type: 'sgd', learningRate: 1e38 }],
]
const thirds = Int32Array.from({ length: 12 }, (_, i) => i % 3)
for (const [name, value, optimizer] of poisons) {
  test(`refused without a trace: ${name}`, async () => {
    const net = sequential({ inputShape: [4], seed: 2 }, [dense({ units: 3 })])
    const before = await net.weights()
    const ends: string[] = []
    const callbacks = [{ onTrainEnd: ({ ended }: { ended: string }) => void ends.push(ended) }]
    const fitting = net.fit(floats(12, thirds, value), { batchSize: 3, optimizer, callbacks })
    await assert.rejects(fitting, failure('E_NONFINITE', 'epoch 1, batch 1'))
    assert.deepEqual(await net.weights(), before)
    assert.deepEqual(ends, ['failed'])
    await net.fit(floats(12, thirds), { batchSize: 3 }) // and training can go on
    assert.notDeepEqual(await net.weights(), before)
  })
}

test('predictions of many sizes at once, also beside one on another engine', async () => {
  const net = sequential({ inputShape: [4], seed: 2 }, [dense({ units: 3 })])
  const one = (await net.predict(new Float32Array(4).fill(0.5))).data
  const sizes = Array.from({ length: 40 }, (_, i) => i + 1)
  const all = await Promise.all(
    sizes.map((n) => net.predict(new Float32Array(4 * n).fill(0.5), n === 20 ? { engine: 'reference' } : {})),
  )
  for (const { data } of all) {
    for (const [i, value] of data.entries()) assert.ok(Math.abs(value - one[i % 3]) < 1e-6)
  }
})

test('a softmax is looked through behind a reshape too', async () => {
  const [plain, hidden] = [[], [flatten()]].map((tail) =>
    sequential({ inputShape: [4], seed: 2 }, [dense({ units: 3, activation: 'softmax' }), ...tail]),
  )
  const options = { batchSize: 4, epochs: 2 } as const
  assert.deepEqual((await hidden.fit(floats(12), options)).history, (await plain.fit(floats(12), options)).history)
})

test('data for validation win over a share of the training data', async () => {
  const net = sequential([dense({ units: 2 })])
  const { epochs } = await net.fit(floats(20), { validationSplit: 0.5, validationData: floats(8) })
  assert.equal(epochs[0].samples, 20)
})

test('an engine that was closed is opened again for the next model', async () => {
  const choice = { engine: 'wasm', threads: 3 } as const
  const first = sequential({ inputShape: [4], ...choice }, [dense({ units: 3 })])
  await (await first.engine()).close()
  await assert.rejects(first.predict(new Float32Array(4)), failure('E_CLOSED'))
  const second = sequential({ inputShape: [4], ...choice }, [dense({ units: 3 })])
  assert.equal((await second.predict(new Float32Array(4))).data.length, 3)
})

test('a model closed in mid-training says so', async () => {
  const net = sequential({ inputShape: [4] }, [dense({ units: 3 })])
  const closed = Promise.withResolvers<void>()
  const onBatchEnd = ({ step }: Progress) => (step === 3 ? closed.promise : undefined)
  const fitting = net.fit(floats(400), { epochs: 500, batchSize: 4, callbacks: [{ onBatchEnd }] })
  await net.predict(new Float32Array(4))
  await net.close()
  closed.resolve()
  await assert.rejects(fitting, failure('E_CLOSED'))
})

/** Layers without weights: what they make of small numbers, worked out by hand. */
const [one, two] = [
  [1, 2, 3, 4],
  [4, 1, 3, 0],
]
const outcomes: [name: string, build: (x: Tensor, y: Tensor) => Tensor, shape: number[], values: number[]][] = [
  ['subtract', (x, y) => layers.subtract()(x, y), [2, 2, 1], [-3, 1, 0, 4]],
  ['multiply', (x, y) => layers.multiply()([x, y]), [2, 2, 1], [4, 2, 9, 0]],
  ['average', (x, y) => layers.average()(x, y, y), [2, 2, 1], [3, 4 / 3, 3, 4 / 3]],
  ['maximum', (x, y) => layers.maximum()(x, y), [2, 2, 1], [4, 2, 3, 4]],
  ['concatenate', (x, y) => layers.concatenate({ axis: 1 })(x, y), [4, 2, 1], [1, 2, 3, 4, 4, 1, 3, 0]],
  ['globalAveragePooling2d', (x) => layers.globalAveragePooling2d()(x), [1], [2.5]],
  ['globalMaxPooling2d', (x) => layers.globalMaxPooling2d({ keepDims: true })(x), [1, 1, 1], [4]],
  ['zeroPadding2d', (x) => layers.zeroPadding2d({ padding: [0, [1, 0]] })(x), [2, 3, 1], [0, 1, 2, 0, 3, 4]],
  [
    'zeroPadding2d by default',
    (x) => layers.zeroPadding2d()(x),
    [4, 4, 1],
    [0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0],
  ],
]
for (const [name, build, shape, values] of outcomes) {
  test(`a layer by hand: ${name}`, async () => {
    const [x, y] = [input([2, 2, 1], { name: 'x' }), input([2, 2, 1], { name: 'y' })]
    const used = build(x, y)
    const usesBoth = used.source.kind === 'layer' && used.source.inputs.length > 1
    const net = usesBoth ? model({ x, y }, used) : model({ x }, used)
    const answer = await net.predict({ x: Float32Array.from(one), y: Float32Array.from(two) })
    assert.deepEqual(answer.shape, [1, ...shape])
    for (const [i, value] of answer.data.entries()) assert.ok(Math.abs(value - values[i]) < 1e-6)
    assert.equal(modelFrom(await net.toBytes()).summary(), net.summary())
  })
}

test('a model that begins with rescaling is given bytes as they are, another one as 0 to 1', async () => {
  const pixels = Uint8Array.of(0, 51, 255)
  const plain = sequential({ inputShape: [3] }, [activation({ activation: 'linear' })])
  const own = sequential({ inputShape: [3] }, [layers.rescaling({ scale: 1 / 127.5, offset: -1 })])
  for (const [net, wanted] of [
    [plain, [0, 0.2, 1]],
    [own, [-1, -0.6, 1]],
  ] as const) {
    const { data } = await net.predict(pixels)
    for (const [i, value] of data.entries()) assert.ok(Math.abs(value - wanted[i]) < 1e-6, `${value}`)
  }
})
