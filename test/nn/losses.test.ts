/** Losses, metrics and weights: against PyTorch and Keras, against small sums worked out by hand, and what is refused. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { TypedArray } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input } from '../../src/graph/node.ts'
import type { FitOptions, Loss, LossName, Metric } from '../../src/index.ts'
import { fromArrays, input as inputTensor, layers, model, modelFrom, sequential } from '../../src/index.ts'
import { readingsOf } from '../../src/network/measures.ts'
import type { Term } from '../../src/network/objective.ts'
import { objectiveOptions } from '../../src/network/objective.ts'
import type { ActivationName } from '../../src/nn/activations.ts'
import type { Head } from '../../src/nn/heads.ts'
import { heads, logitsOf } from '../../src/nn/heads.ts'
import type { Layer } from '../../src/nn/layer.ts'
import { chooseLoss, lossPerSample, settleLoss } from '../../src/nn/losses.ts'
import { metricLogName, metricPerSample, settleMetric } from '../../src/nn/metrics.ts'
import { weighed } from '../../src/nn/per-sample.ts'
import { reshape } from '../../src/ops/broadcasting.ts'
import { neg, sigmoid } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { softmax } from '../../src/ops/normalization.ts'
import { mean } from '../../src/ops/reduction.ts'
import { classWeightOptions } from '../../src/training/sample-weights.ts'
import { Tally } from '../../src/training/tally.ts'
import { fastEngines, openFast } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

const { dense, flatten } = layers

const judges = [
  { engine: referenceEngine(), tolerance: 1e-13 },
  ...(await openFast()).map((engine) => ({ engine, tolerance: 1e-6 })),
]
after(() => Promise.all(judges.map(({ engine }) => engine.close())))

const lossFiles = ['sample-losses', 'further-losses'].map((topic) =>
  golden<{ name: string; loss: Exclude<Loss, string> }>(topic),
)
for (const { engine, tolerance } of judges) {
  suite(`golden, ${engine.name}: losses per sample`, () => {
    for (const file of lossFiles)
      for (const { name, loss } of file.cases) {
        test(name, async () => {
          const [logits, target] = ['logits', 'target'].map((part) => file.tensor(`${name}/${part}`))
          const dtype = target.data instanceof Int32Array ? 'int32' : 'float32'
          const x = input('x', logits.shape)
          const rows = lossPerSample(settleLoss(loss), x, input('target', target.shape, dtype))
          const [dlogits] = gradients(mean(rows), [x])
          const got = await evaluate(engine, { outputs: { rows, dlogits } }, { x: logits.data, target: target.data })
          for (const part of ['rows', 'dlogits'])
            assertClose(got[part], file.tensor(`${name}/${part}`).data, tolerance, part)
        })
      }
  })
}

for (const { engine, tolerance } of judges) {
  suite(`golden, ${engine.name}: metrics per sample`, () => {
    const file = golden<{ name: string; metric: Exclude<Metric, string>; head: Head }>('metrics')
    for (const { name, metric, head } of file.cases) {
      test(name, async () => {
        const [logits, target, wanted] = ['logits', 'target', 'rows'].map((part) => file.tensor(`${name}/${part}`))
        const x = input('x', logits.shape)
        const judged = { logits: x, answer: heads[head](x), head }
        const given = input('target', target.shape, target.data instanceof Int32Array ? 'int32' : 'float32')
        const rows = metricPerSample(settleMetric(metric), { ...judged, target: given }) as Node
        const got = await evaluate(engine, { outputs: { rows } }, { x: logits.data, target: target.data })
        assertClose(got['rows'], wanted.data, tolerance, 'rows')
      })
    }
  })
}

const [{ engine: reference }] = judges

test('a sample of weight 0 counts for nothing, infinite as its loss may be', async () => {
  const weights = constant(Float32Array.of(1, 0), [2])
  const infinite = constant(Float32Array.of(0.5, Number.POSITIVE_INFINITY), [2])
  assert.deepEqual(await numbers(weighed(weights, infinite)), [0.5, 0])
})
/** What a node is on the reference engine. */
const numbers = async (node: Node): Promise<number[]> =>
  Array.from((await evaluate(reference, { outputs: { node } }, {})).node)

test('label smoothing as Keras prints it', async () => {
  const logits = constant(Float32Array.of(0.1, 0.7, 0.2).map(Math.log), [1, 3])
  const label = constant(Int32Array.of(1))
  const row = constant(Float32Array.of(0, 1, 0), [1, 3])
  const targets = { sparseCategoricalCrossentropy: label, categoricalCrossentropy: row } as const
  for (const type of ['sparseCategoricalCrossentropy', 'categoricalCrossentropy'] as const) {
    const smoothed = async (labelSmoothing: number) =>
      (await numbers(lossPerSample(settleLoss({ type, labelSmoothing }), logits, targets[type])))[0]
    near(await smoothed(0), 0.35667, 5e-6)
    near(await smoothed(0.1), 0.4633, 5e-6)
  }
})

test('bytes of 0 and 1 are targets as numbers are', async () => {
  const logits = constant(Float32Array.of(-1, 2, 0.5, 3), [2, 2])
  const values = [0, 1, 1, 0]
  const [bytes, floats] = [Uint8Array.from(values), Float32Array.from(values)].map((data) =>
    numbers(lossPerSample(settleLoss('binaryCrossentropy'), logits, constant(data, [2, 2]))),
  )
  assert.deepEqual(await bytes, await floats)
})

const x = input('x', [4, 6])
/** Outputs, a head, and whether the head is there already. */
const endings: [name: string, output: Node, head: Head, seenThrough: boolean][] = [
  ['softmax', softmax(x), 'softmax', true],
  ['softmax behind a reshape that keeps rows', reshape(softmax(x), { shape: [2, 2, 6] }), 'softmax', true],
  ['softmax behind one that breaks them', reshape(softmax(x), { shape: [4, 2, 3] }), 'softmax', false],
  ['sigmoid', sigmoid(x), 'sigmoid', true],
  ['sigmoid behind any reshape', reshape(sigmoid(x), { shape: [4, 2, 3] }), 'sigmoid', true],
  ['softmax under another loss', softmax(x), 'linear', false],
  ['sigmoid under another loss', sigmoid(x), 'softmax', false],
  ['softmax under yes and no', softmax(x), 'sigmoid', false],
  ['another function', neg(sigmoid(x)), 'sigmoid', false],
  ['nothing', x, 'sigmoid', false],
]
for (const [name, output, head, seenThrough] of endings) {
  test(`a loss of head ${head} ${seenThrough ? 'looks through' : 'leaves alone'}: ${name}`, async () => {
    const logits = logitsOf(output, head)
    if (!seenThrough) return assert.equal(logits, output)
    const values = { x: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)) }
    const got = await evaluate(reference, { outputs: { once: heads[head](logits), output } }, values)
    assert.deepEqual(got['once'], got['output'])
  })
}

type Kind = 'int32' | 'float32' | 'uint8'
const [sparse, rows, yesNo] = [
  'sparseCategoricalCrossentropy',
  'categoricalCrossentropy',
  'binaryCrossentropy',
] as const
/** What follows when no loss is asked for, by what the model ends in; else the words of the complaint. */
type Follower = [end: ActivationName, dtype: Kind, target: number[], output: number[], loss: string | readonly string[]]
const followers: Follower[] = [
  ['linear', 'int32', [], [10], sparse],
  ['linear', 'int32', [], [2], sparse],
  ['linear', 'int32', [], [1], yesNo],
  ['linear', 'int32', [1], [1], yesNo],
  ['linear', 'int32', [5], [5], rows],
  ['linear', 'uint8', [], [1], yesNo],
  ['linear', 'uint8', [5], [5], rows],
  ['linear', 'int32', [4, 4, 1], [4, 4, 1], yesNo],
  ['linear', 'uint8', [4, 4, 1], [4, 4, 1], yesNo],
  ['linear', 'float32', [3], [10], ['no loss follows', 'float32 [3] targets, [10] outputs']],
  ['linear', 'uint8', [], [10], ['no loss follows', 'class indices are int32']],
  ['linear', 'float32', [10], [10], rows],
  ['linear', 'float32', [], [1], 'meanSquaredError'],
  ['linear', 'float32', [1], [1], 'meanSquaredError'],
  ['linear', 'float32', [4, 4, 1], [4, 4, 1], 'meanSquaredError'],
  ['softmax', 'int32', [], [10], sparse],
  ['softmax', 'int32', [10], [10], rows],
  ['softmax', 'uint8', [10], [10], rows],
  ['softmax', 'float32', [10], [10], rows],
  ['softmax', 'uint8', [], [10], ['end in softmax', 'class indices are int32']],
  ['softmax', 'float32', [3], [10], ['end in softmax', 'float32 [3] targets, [10] outputs']],
  ['softmax', 'int32', [], [1], ['end in softmax', `loss: '${yesNo}'`]],
  ['softmax', 'float32', [4, 4, 2], [4, 4, 2], ['end in softmax', `loss: '${yesNo}' or loss: 'meanSquaredError'`]],
  ['sigmoid', 'int32', [], [1], yesNo],
  ['sigmoid', 'uint8', [], [1], yesNo],
  ['sigmoid', 'float32', [], [1], yesNo],
  ['sigmoid', 'float32', [1], [1], yesNo],
  ['sigmoid', 'int32', [5], [5], yesNo],
  ['sigmoid', 'uint8', [5], [5], yesNo],
  ['sigmoid', 'float32', [5], [5], yesNo],
  ['sigmoid', 'float32', [4, 4, 1], [4, 4, 1], yesNo],
  ['sigmoid', 'int32', [], [10], ['end in sigmoid', `loss: '${sparse}'`]],
  ['logSoftmax', 'int32', [], [10], sparse],
  ['logSoftmax', 'uint8', [10], [10], rows],
  ['logSoftmax', 'uint8', [4, 4, 1], [4, 4, 1], ['end in logSoftmax', `loss: '${yesNo}'`]],
  ...(['relu', 'tanh', 'hardSigmoid', 'gelu'] as const).flatMap((end): Follower[] => [
    [end, 'int32', [], [10], [`end in ${end}`, 'softmax or sigmoid', `loss: '${sparse}'`]],
    [end, 'int32', [], [1], [`end in ${end}`, `loss: '${yesNo}'`]],
    [end, 'uint8', [5], [5], [`end in ${end}`, `loss: '${rows}' or loss: '${yesNo}'`]],
    [end, 'float32', [5], [5], [`end in ${end}`, `loss: '${rows}' or loss: '${yesNo}' or loss: 'meanSquaredError'`]],
    [end, 'float32', [], [1], 'meanSquaredError'],
    [end, 'float32', [4, 4, 1], [4, 4, 1], 'meanSquaredError'],
  ]),
]
for (const [end, dtype, target, output, wanted] of followers)
  test(`${dtype} [${target}] targets and [${output}] outputs, ${end}: ${wanted}`, () => {
    const choose = () => chooseLoss(undefined, { dtype, shape: target }, { shape: output, end }, 'here').type
    if (typeof wanted === 'string') assert.equal(choose(), wanted)
    else assert.throws(choose, failure('E_MISMATCH', 'here', ...wanted))
  })

for (const activation of ['softmax', 'sigmoid', 'linear', 'logSoftmax'] as const) {
  test(`a model that ends in ${activation}: one-hot rows as bytes, integers and floats train alike`, async () => {
    const labels = [0, 2, 1, 1, 2, 0]
    const oneHot = labels.flatMap((label) => [0, 1, 2].map((i) => (i === label ? 1 : 0)))
    const trained = async (data: TypedArray) => {
      const x = { shape: [2], data: Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)) }
      const train = fromArrays({ name: 'rows', inputs: { x }, targets: { y: { shape: [3], data } } })
      const net = sequential({ inputShape: [2], engine: 'reference', seed: 3 }, [
        layers.dense({ units: 3, activation }),
      ])
      const { history } = await net.fit(train, { epochs: 3, batchSize: 2 })
      return { history, weights: await net.weights(), judged: await net.evaluate(train) }
    }
    const wanted = await trained(Float32Array.from(oneHot))
    assert.deepEqual(await trained(Uint8Array.from(oneHot)), wanted)
    assert.deepEqual(await trained(Int32Array.from(oneHot)), wanted)
  })
}

test('a model that ends in another activation: classes need a loss by name, numbers do not', async () => {
  const net = (activation: ActivationName, tail: Layer[]) =>
    sequential({ inputShape: [1], engine: 'reference' }, [dense({ units: 3, activation }), ...tail])
  const rows = ones(Uint8Array.of(1, 0, 0, 0, 1, 0), [3])
  for (const activation of ['relu', 'tanh'] as const)
    for (const tail of [[], [flatten()]]) {
      const fit = () => net(activation, tail).fit(rows)
      await assert.rejects(fit, failure('E_MISMATCH', `end in ${activation}`, "loss: 'categoricalCrossentropy'"))
      await net(activation, tail).fit(rows, { loss: 'categoricalCrossentropy' })
    }
})

test('several labels a sample on plain numbers are refused with the loss to name, in any dtype', async () => {
  for (const data of [Uint8Array.of(1, 1, 0), Int32Array.of(1, 1, 0), Float32Array.of(1, 1, 0)]) {
    const fit = async () => (await single(3)).fit(ones(data, [3]))
    await assert.rejects(fit, failure('E_LABEL', 'sum of 2', "loss: 'binaryCrossentropy'"))
  }
})

/** Metrics of a few samples, by hand: logits [n, ...], targets, and the metric of each sample. */
const judgements: [name: string, metric: Metric, head: Head, logits: number[][], target: TypedArray, wanted: number[]][] =
  [
    ['class indices', 'accuracy', 'softmax', [[1, 3, 2], [5, 0, 0]], Int32Array.of(1, 2), [1, 0]],
    ['one-hot rows', 'accuracy', 'softmax', [[1, 3, 2], [5, 0, 0]], Float32Array.of(0, 1, 0, 0, 0, 1), [1, 0]],
    ['ties go to the first', 'accuracy', 'softmax', [[2, 2, 1], [2, 2, 1]], Int32Array.of(0, 1), [1, 0]],
    ['yes and no, 0.5 is no', 'accuracy', 'sigmoid', [[2], [-2], [0], [0.1]], Int32Array.of(1, 1, 0, 1), [1, 0, 1, 1]],
    ['labels', 'accuracy', 'sigmoid', [[2, -2], [2, 2]], Uint8Array.of(1, 0, 0, 1), [1, 0.5]],
    ['a threshold', { type: 'binaryAccuracy', threshold: 0.9 }, 'sigmoid', [[2], [3]], Int32Array.of(1, 1), [0, 1]],
    ['answers that are no logits', 'binaryAccuracy', 'linear', [[0.4], [0.6]], Float32Array.of(0, 1), [1, 1]],
    ['k of few', { type: 'topKAccuracy', k: 2 }, 'softmax', [[3, 2, 1], [3, 2, 1], [3, 2, 1]], Int32Array.of(0, 1, 2), [1, 1, 0]],
    ['ties count', { type: 'topKAccuracy', k: 1 }, 'softmax', [[2, 2, 1], [2, 2, 1]], Int32Array.of(1, 2), [1, 0]],
    ['one-hot rows', { type: 'topKAccuracy', k: 2 }, 'softmax', [[3, 2, 1]], Float32Array.of(0, 0, 1), [0]],
    ['not a number', { type: 'topKAccuracy', k: 2 }, 'softmax', [[Number.NaN, 2, 1]], Int32Array.of(0), [0]],
    ['of errors', 'meanSquaredError', 'linear', [[1, 2], [0, 4]], Float32Array.of(0, 0, 0, 0), [2.5, 8]],
    ['of errors', 'meanAbsoluteError', 'linear', [[1, -2], [0, 4]], Float32Array.of(0, 0, 0, 0), [1.5, 2]],
    ['of probabilities', 'meanAbsoluteError', 'sigmoid', [[0], [0]], Int32Array.of(1, 0), [0.5, 0.5]],
  ] // biome-ignore format: a table
for (const [name, metric, head, rows, target, wanted] of judgements) {
  const settled = settleMetric(metric)
  test(`${metricLogName(settled)}: ${name}`, async () => {
    const logits = constant(Float32Array.from(rows.flat()), [rows.length, rows[0].length])
    const shape = target.length === rows.length ? [rows.length] : logits.shape
    const judged = { logits, answer: heads[head](logits), target: constant(target, shape), head }
    assert.deepEqual(await numbers(metricPerSample(settled, judged) as Node), wanted)
  })
}

/** Samples of one number, 1, told apart by their targets; a model whose answer is its only weight, 0 at first. */
const ones = (y: TypedArray, shape: number[] = []) =>
  fromArrays({
    name: 'ones',
    inputs: { x: { shape: [1], data: new Float32Array(y.length / (shape[0] ?? 1)).fill(1) } },
    targets: { y: { shape, data: y } },
  })
async function single(units = 1) {
  const net = sequential({ inputShape: [1], engine: 'reference' }, [dense({ units, useBias: false })])
  await net.setWeights({ 'dense/kernel': new Float32Array(units) })
  return net
}
const near = (got: number, wanted: number, tolerance = 1e-6) =>
  assert.ok(Math.abs(got - wanted) <= tolerance, `${got}, not ${wanted}`)

/** Losses 0.5078 and 2, weights 1 and 3: what Keras and PyTorch report, and how far a step of size 0.01 goes. */
const reductions = [
  ['sumOverBatchSize', 3.2539, 0.02],
  ['meanWithSampleWeight', 1.62695, 0.01],
] as const
for (const [lossReduction, wanted, step] of reductions) {
  test(`weights 1 and 3 by ${lossReduction}: report, gradient, any batch size; metrics are not weighted`, async () => {
    const data = ones(Float32Array.of(0.5078, 2))
    const weighted = { loss: 'meanAbsoluteError', lossReduction, sampleWeight: [1, 3] } as const
    for (const batchSize of [1, 2, 128]) {
      const logs = await (await single()).evaluate(data, { ...weighted, batchSize })
      near(logs['loss'], wanted)
      near(logs['meanAbsoluteError'], 1.2539)
    }
    const net = await single()
    const { history } = await net.fit(data, { ...weighted, optimizer: 'sgd' })
    near(history['loss'][0], wanted)
    near(history['meanAbsoluteError'][0], 1.2539)
    near((await net.weights())['dense/kernel'][0], step)
    const batches = await (await single()).fit(data, { ...weighted, optimizer: 'sgd', learningRate: 0, batchSize: 1 })
    near(batches.history['loss'][0], wanted)
    const none = await (await single()).fit(data, { ...weighted, sampleWeight: [0, 0], optimizer: 'sgd' })
    near(none.history['loss'][0], 0)
  })
}

test('weights of data for validation, and metrics by weight, in fit and evaluate', async () => {
  const [train, judged] = [ones(Int32Array.of(0, 1, 0, 1)), ones(Int32Array.of(0, 0, 1))]
  const net = await single()
  await net.setWeights({ 'dense/kernel': Float32Array.of(2) }) // always yes
  const metrics = ['accuracy', 'precision'] as const
  const options = { optimizer: 'sgd', learningRate: 0, metrics, weightedMetrics: metrics } as const
  const weights = { sampleWeight: [1, 2, 3, 4], validationSampleWeight: [1, 0.5, 6] }
  const { history } = await net.fit(train, { ...options, ...weights, batchSize: 3, validationData: judged })
  const lossOf = (y: number) => Math.log(1 + Math.exp(2)) - 2 * y
  near(history['loss'][0], (lossOf(0) * 4 + lossOf(1) * 6) / 4)
  near(history['val_loss'][0], (lossOf(0) * 1.5 + lossOf(1) * 6) / 3)
  for (const metric of metrics) {
    near(history[metric][0], 0.5)
    near(history[`weighted_${metric}`][0], 0.6)
    near(history[`val_${metric}`][0], 1 / 3)
    near(history[`val_weighted_${metric}`][0], 6 / 7.5)
  }
  const logs = await net.evaluate(judged, { sampleWeight: weights.validationSampleWeight, metrics: [], batchSize: 2 })
  assert.deepEqual(Object.keys(logs), ['accuracy', 'loss', 'precision']) // the plain names are free
  near(logs['accuracy'], 6 / 7.5)
  near(logs['precision'], 6 / 7.5)
})

test('metrics of one name are numbered as in Keras, or have names of their own', async () => {
  const { history } = await (await single(3)).fit(classes, {
    learningRate: 0,
    metrics: ['accuracy', 'accuracy', { type: 'precision', classId: 1 }, { type: 'accuracy', name: 'mine' }],
  })
  assert.deepEqual(Object.keys(history).sort(), ['accuracy', 'accuracy_1', 'loss', 'mine', 'precision_1'])
})

test('validationSplit: samples keep their weights, classes have none', async () => {
  const data = ones(Int32Array.of(0, 1, 0, 1))
  const options = { validationSplit: 0.5, optimizer: 'sgd', learningRate: 0 } as const
  const { history } = await (await single()).fit(data, {
    ...options,
    sampleWeight: [1, 2, 3, 7],
    classWeight: { 0: 5 },
  })
  near(history['loss'][0], (Math.LN2 * (5 + 2)) / 2)
  near(history['val_loss'][0], (Math.LN2 * (3 + 7)) / 2)
  assert.equal(history['val_accuracy'][0], 0.5)
})

/** Class weights of a 3 to 1 data set, as a loss of ln(classes) for every sample shows them. */
const classWeights: [name: string, targets: TypedArray, shape: number[], units: number, options: FitOptions, of: number][] = [
  ['indices', Int32Array.of(0, 0, 0, 2), [], 3, { classWeight: { 0: 2 } }, (3 * 2 + 1) / 4],
  ['one-hot rows', Float32Array.of(1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1), [3], 3, { classWeight: { 2: 5 } }, (3 + 5) / 4],
  ['yes and no', Uint8Array.of(0, 0, 0, 1), [], 1, { classWeight: { 1: 3, 0: 0 } }, 3 / 4],
  ['balanced: every class the same in sum', Int32Array.of(0, 0, 0, 2), [], 3, { classWeight: 'balanced' }, 1],
] // biome-ignore format: a table
for (const [name, targets, shape, units, options, of] of classWeights) {
  test(`class weights, ${name}`, async () => {
    const net = await single(units)
    const { history } = await net.fit(ones(targets, shape), { ...options, optimizer: 'sgd', learningRate: 0 })
    near(history['loss'][0], of * Math.log(Math.max(units, 2)))
  })
}

test('balanced weights are those of n / (classes * samples of the class)', async () => {
  const targets = Int32Array.from({ length: 600 }, (_, i) => (i < 500 ? 0 : 1))
  const [counted, given] = [await single(), await single()]
  const plain = { optimizer: 'sgd', batchSize: 64 } as const
  const one = await counted.fit(ones(targets), { ...plain, classWeight: 'balanced' })
  const other = await given.fit(ones(targets), { ...plain, classWeight: { 0: 600 / 1000, 1: 600 / 200 } })
  assert.deepEqual(one.history, other.history)
})

const digits: Term = {
  output: 'y',
  target: 'y',
  loss: settleLoss('sparseCategoricalCrossentropy'),
  metrics: [settleMetric('accuracy')],
}

test('a tally goes on from its JSON as if nothing had been', () => {
  const steps = [0.1, 0.2, 0.7].map((x) => {
    const of = (value: number) => Float64Array.of(value)
    return { loss: of(x), 'loss/weight': of(3 * x), accuracy: of(x) }
  })
  const readings = readingsOf({ inputs: {}, terms: [digits], lossReduction: 'meanWithSampleWeight' })
  const [whole, part] = [new Tally(readings), new Tally(readings)]
  for (const step of steps) whole.add(step, 4)
  part.add(steps[0], 4)
  const rest = new Tally(readings, JSON.parse(JSON.stringify(part)))
  for (const step of steps.slice(1)) rest.add(step, 4)
  assert.deepEqual(rest.means, whole.means)
  assert.deepEqual(Object.keys(whole.means), ['accuracy', 'loss'])
  near(whole.means['loss'], 1 / 3)
  near(whole.means['accuracy'], 1 / 12)
  const written = { samples: 4, sums: { loss: 2, 'loss/weight': 8, accuracy: 3 } } // as checkpoints once had it
  assert.deepEqual(new Tally(readings, written).means, { accuracy: 0.75, loss: 0.25 })
})

/** Two heaps of points, told apart by a line. */
function heaps(classNames?: readonly string[]) {
  const labels = Int32Array.from({ length: 40 }, (_, i) => i % 2)
  const data = Float32Array.from({ length: 80 }, (_, i) => Math.sin(i * i) + 3 * labels[i >> 1])
  return fromArrays({
    name: 'heaps',
    inputs: { x: { shape: [2], data } },
    targets: { y: { shape: [], data: labels } },
    ...(classNames && { classNames }),
  })
}

test('two classes by one output: with a final sigmoid as without, names, and the way through a file', async () => {
  const train = { epochs: 20, batchSize: 8, optimizer: 'sgd', learningRate: 0.5 } as const
  const make = (activation: 'linear' | 'sigmoid') =>
    sequential({ inputShape: [2], seed: 3 }, [dense({ units: 1, activation })])
  const [plain, ended] = [make('linear'), make('sigmoid')]
  const { history } = await plain.fit(heaps(['cat', 'dog']), train)
  assert.equal(history['accuracy'].at(-1), 1)
  await ended.fit(heaps(['cat', 'dog']), train)
  const points = Float32Array.of(0, 0, 3, 3)
  const answers = await plain.predict(points)
  assert.deepEqual((await ended.predict(points)).data, answers.data)
  assert.deepEqual([...answers.classes], [0, 1])
  const [best, other] = answers.top(2, 1)
  assert.deepEqual([best.className, best.index, other.className], ['dog', 1, 'cat'])
  near(best.probability + other.probability, 1)
  near(best.probability, answers.data[1])
  const again = await modelFrom(await plain.toBytes()).predict(points)
  assert.deepEqual(again.top(2, 0), answers.top(2, 0))
})

test('evaluate goes by what fit was told, also in another process', async () => {
  const data = ones(Float32Array.of(3, -1, 2))
  const net = await single()
  const metrics = ['meanAbsoluteError', 'meanSquaredError'] as const
  await net.fit(data, { loss: { type: 'huber', delta: 2 }, metrics, learningRate: 0 })
  const logs = await net.evaluate(data)
  assert.deepEqual(Object.keys(logs), ['loss', 'meanAbsoluteError', 'meanSquaredError'])
  near(logs['loss'], (2 * (3 - 1) + 0.5 + 2) / 3)
  assert.deepEqual(await modelFrom(await net.toBytes()).evaluate(data, { engine: 'reference' }), logs)
  assert.deepEqual(Object.keys(await net.evaluate(data, { metrics: [] })), ['loss'])
  near((await net.evaluate(data, { loss: 'meanAbsoluteError' }))['loss'], 2)
})

test('several outputs, each with its own loss, metrics and answers', async () => {
  const start = inputTensor([4], { name: 'x' })
  const [digit, size] = [dense({ units: 6, name: 'a' })(start), dense({ units: 1, name: 'b' })(start)]
  const net = model(start, { digit, size })
  const data = fromArrays({
    name: 'both',
    inputs: { x: { shape: [4], data: Float32Array.from({ length: 48 }, (_, i) => Math.sin(i)) } },
    targets: {
      digit: { shape: [], data: Int32Array.from({ length: 12 }, (_, i) => i % 6) },
      size: { shape: [], data: Float32Array.from({ length: 12 }, (_, i) => i / 12) },
    },
  })
  const options = {
    lossReduction: 'meanWithSampleWeight',
    sampleWeight: Array.from({ length: 12 }, (_, i) => i),
  } as const
  const { history } = await net.fit(data, {
    ...options,
    loss: { size: 'huber' },
    metrics: { digit: ['accuracy', 'topKAccuracy', { type: 'topKAccuracy', k: 6 }] },
  })
  await assert.rejects(
    net.fit(data, { ...options, metrics: { digit: [{ type: 'topKAccuracy', k: 7 }] } }),
    failure('E_OPTION', 'topKAccuracy', "'k' is wrong", 'at most 6, the classes', '7'),
  )
  const names = ['digit_accuracy', 'digit_loss', 'digit_top5Accuracy', 'digit_top6Accuracy', 'loss']
  assert.deepEqual(Object.keys(history).sort(), [...names, 'size_loss', 'size_meanAbsoluteError'])
  near(history['loss'][0], history['digit_loss'][0] + history['size_loss'][0])
  assert.equal(history['digit_top6Accuracy'][0], 1)
  const { outputs } = await net.predict(new Float32Array(8))
  assert.equal(outputs['digit'].classes.length, 2)
  near(
    outputs['digit'].top(6, 1).reduce((total, { probability }) => total + probability, 0),
    1,
  )
  assert.deepEqual(outputs['size'].shape, [2, 1])
})

test('losses of outputs are added by their weights, reported without; evaluate and a file know them', async () => {
  const start = inputTensor([1], { name: 'x' })
  const make = () =>
    model(
      start,
      {
        a: dense({ units: 1, name: 'a', useBias: false })(start),
        b: dense({ units: 1, name: 'b', useBias: false })(start),
      },
      { engine: 'reference' },
    )
  const data = fromArrays({
    name: 'two',
    inputs: { x: { shape: [1], data: Float32Array.of(1, 1) } },
    targets: { a: { shape: [], data: Float32Array.of(1, 2) }, b: { shape: [], data: Float32Array.of(4, 4) } },
  })
  const net = make()
  await net.setWeights({ 'a/kernel': Float32Array.of(0), 'b/kernel': Float32Array.of(0) })
  const lossWeights = { b: 0.25 }
  const { history } = await net.fit(data, { lossWeights, metrics: [], optimizer: 'sgd', learningRate: 0.5 })
  near(history['a_loss'][0], 2.5)
  near(history['b_loss'][0], 16)
  near(history['loss'][0], 2.5 + 4)
  const weights = await net.weights()
  near(weights['a/kernel'][0], 1.5)
  near(weights['b/kernel'][0], 0.25 * 4)
  const logs = await net.evaluate(data)
  near(logs['loss'], logs['a_loss'] + 0.25 * logs['b_loss'])
  assert.deepEqual(await modelFrom(await net.toBytes()).evaluate(data, { engine: 'reference' }), logs)
  near((await net.evaluate(data, { lossWeights: { a: 0, b: 2 } }))['loss'], 2 * logs['b_loss'])
})

test('flags name losses and metrics, or hold them as JSON', () => {
  const { loss, metrics } = objectiveOptions
  assert.equal(loss.parse('huber'), 'huber')
  assert.deepEqual(loss.parse('{"type":"huber","delta":2}'), { type: 'huber', delta: 2 })
  assert.deepEqual(metrics.parse('accuracy,topKAccuracy'), ['accuracy', 'topKAccuracy'])
  assert.deepEqual(metrics.parse('[{"type":"topKAccuracy","k":3}]'), [{ type: 'topKAccuracy', k: 3 }])
  assert.deepEqual(classWeightOptions.classWeight.parse('{"1":3}'), { 1: 3 })
  assert.equal(classWeightOptions.classWeight.parse('balanced'), 'balanced')
})

test('focal losses: what is certain and right has no slope, whatever gamma is; what is certain and wrong has one', async () => {
  for (const gamma of [0, 0.5, 1, 2, 5]) {
    const binary = await slopeOf(
      { type: 'binaryFocalCrossentropy', gamma },
      [[1000], [-1000], [1000]],
      Float32Array.of(1, 0, 0),
    )
    assert.deepEqual(binary, { rows: [0, 0, 1000], dlogits: [0, 0, 1 / 3] })
    const alpha = 1
    const logits = [[1000, 0], [-1000, 0]] // biome-ignore format: a table
    const rows = await slopeOf(
      { type: 'sparseCategoricalFocalCrossentropy', gamma, alpha },
      logits,
      Int32Array.of(0, 0),
    )
    assert.deepEqual(rows, { rows: [0, 1000], dlogits: [0, 0, -0.5, 0.5] })
  }
})

async function slopeOf(loss: Loss, logits: number[][], target: TypedArray) {
  const x = input('x', [logits.length, logits[0].length])
  const rows = lossPerSample(settleLoss(loss), x, constant(target, [target.length]))
  const [dlogits] = gradients(mean(rows), [x])
  const got = await evaluate(reference, { outputs: { rows, dlogits } }, { x: Float32Array.from(logits.flat()) })
  return { rows: Array.from(got['rows'], (v) => v + 0), dlogits: Array.from(got['dlogits'], (v) => v + 0) }
}

const firsts = {
  rows: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  bits: [0, 1, 1, 1, 0, 1, 1, 0, 0],
  numbers: [0.5, 2, 1, 1.5, 0, 3, 2, 1, 0.25],
}
/** What is trained for every loss, in mixed precision and without. */
const trainings: { readonly [L in LossName]: keyof typeof firsts | 'indices' } = {
  sparseCategoricalCrossentropy: 'indices',
  categoricalCrossentropy: 'rows',
  binaryCrossentropy: 'bits',
  meanSquaredError: 'numbers',
  meanAbsoluteError: 'numbers',
  huber: 'numbers',
  logCosh: 'numbers',
  cosineSimilarity: 'numbers',
  poisson: 'numbers',
  binaryFocalCrossentropy: 'bits',
  categoricalFocalCrossentropy: 'rows',
  sparseCategoricalFocalCrossentropy: 'indices',
  klDivergence: 'rows',
  hinge: 'bits',
  squaredHinge: 'bits',
  categoricalHinge: 'indices',
  dice: 'bits',
  tversky: 'bits',
}
for (const [loss, kind] of Object.entries(trainings) as [LossName, (typeof trainings)[LossName]][]) {
  test(`${loss} in mixed precision is that of float32 but for its rounding; it falls`, async () => {
    const data = kind === 'indices' ? ones(Int32Array.of(0, 1, 2)) : ones(Float32Array.from(firsts[kind]), [3])
    const losses = async (engine: 'reference' | 'wasm' | 'native', precision: 'float32' | 'mixed_bfloat16') => {
      const tail = dense({ units: 3, activation: loss === 'poisson' ? 'softplus' : 'linear' })
      const net = sequential({ inputShape: [1], engine, seed: 5, precision }, [
        dense({ units: 8, activation: 'tanh' }),
        tail,
      ])
      return (await net.fit(data, { loss, epochs: 8, learningRate: 0.02 })).history['loss']
    }
    const wanted = await losses('reference', 'float32')
    assert.ok((wanted.at(-1) as number) < wanted[0])
    for (const engine of ['reference', ...fastEngines] as const) {
      const got = await losses(engine, 'mixed_bfloat16')
      for (const [i, value] of got.entries()) near(value, wanted[i], 0.02 * (1 + Math.abs(wanted[i])))
    }
  })
}

test('hinge: its answers say yes above 0, in metrics, class weights and reports; -1 and 0 both say no', async () => {
  for (const data of [Float32Array.of(-1, 1, 1, -1), Int32Array.of(0, 1, 1, 0)]) {
    const net = await single()
    await net.setWeights({ 'dense/kernel': Float32Array.of(0.25) })
    const how = { loss: 'hinge', optimizer: 'sgd', learningRate: 0 } as const
    const { history } = await net.fit(ones(data), { ...how, classWeight: { 1: 3 } })
    assert.equal(history['accuracy'][0], 0.5)
    near(history['loss'][0], (2 * 1.25 + 3 * 2 * 0.75) / 4)
    const logs = await net.evaluate(ones(data), { metrics: ['recall', 'precision'] })
    assert.deepEqual([logs['recall'], logs['precision']], [1, 0.5])
  }
})

const floats = (count: number) => ones(new Float32Array(count))
const classes = ones(Int32Array.of(0, 1, 1))
const fit = (options: object, data = classes) => single(3).then((net) => net.fit(data, options))
const mistakes: [name: string, code: Parameters<typeof failure>[0], words: string[], action: () => Promise<unknown>][] = [
  ['an unknown loss', 'E_OPTION', ['unknown loss', "did you mean 'huber'?"], () => fit({ loss: 'hubr' })],
  ['a loss as a number', 'E_OPTION', ["'loss' is wrong"], () => fit({ loss: 3 })],
  ["a loss's unknown option", 'E_OPTION', ["'alpha'", 'huber', 'delta'], () => fit({ loss: { type: 'huber', alpha: 1 } })],
  ["a loss's wrong option", 'E_OPTION', ["'labelSmoothing'", '< 1'], () => fit({ loss: { type: 'categoricalCrossentropy', labelSmoothing: 1 } })],
  ['a regression of classes', 'E_MISMATCH', ['meanSquaredError', 'float32'], () => fit({ loss: 'meanSquaredError' })],
  ['yes and no of three', 'E_MISMATCH', ['binaryCrossentropy', '[3] outputs'], () => fit({ loss: 'binaryCrossentropy' })],
  ['rows that are no probabilities', 'E_LABEL', ['sum of 5', 'meanSquaredError'], () => fit({}, ones(Float32Array.of(1, 2, 2), [3]))],
  ['a label that is neither 0 nor 1', 'E_LABEL', ['0 to 1', 'got 2', 'sample 2'], async () => (await single()).fit(ones(Int32Array.of(0, 1, 2)))],
  ['a target that is not finite', 'E_LABEL', ['finite', 'sample 1'], async () => (await single()).fit(ones(Float32Array.of(0, Number.NaN)))],
  ['focal factors for other classes', 'E_MISMATCH', ['2 factors alpha for 3 classes'], () => fit({ loss: { type: 'sparseCategoricalFocalCrossentropy', alpha: [1, 2] } })],
  ['a hinge of halves', 'E_LABEL', ['-1, 0 or 1', 'got 0.5'], async () => (await single()).fit(ones(Float32Array.of(0.5, 1)), { loss: 'hinge' })],
  ['counts below 0', 'E_LABEL', ['>= 0', 'got -1'], async () => (await single()).fit(ones(Float32Array.of(-1, 1)), { loss: 'poisson' })],
  ['a class index for a hinge of classes', 'E_LABEL', ['0 to 2', 'got 3'], () => fit({ loss: 'categoricalHinge' }, ones(Int32Array.of(0, 3)))],
  ['a class beyond the outputs', 'E_MISMATCH', ['precision', 'classId 3 of 3 classes'], () => fit({ metrics: [{ type: 'precision', classId: 3 }] })],
  ...['auc', { type: 'precisionAtRecall', recall: 0.5 }, 'expectedCalibrationError'].map(
    (metric): (typeof mistakes)[number] => [
      `${typeof metric === 'string' ? metric : metric.type} of a hinge's answers`,
      'E_MISMATCH',
      ['hinge', 'no probabilities'],
      async () => (await single()).fit(ones(Int32Array.of(0, 1, 1, 0)), { loss: 'hinge', metrics: [metric as 'auc'] }),
    ],
  ),
  ['a rate that must be reached is missing', 'E_OPTION', ["'recall' is missing"], () => fit({ metrics: ['precisionAtRecall'] })],
  ['a name for logs that is taken', 'E_OPTION', ["the name 'epoch'"], () => fit({ metrics: [{ type: 'accuracy', name: 'epoch' }] })],
  ['a name for logs as validation has it', 'E_OPTION', ["the name 'val_loss'"], () => fit({ metrics: [{ type: 'accuracy', name: 'val_loss' }] })],
  ['loss weights for no output', 'E_OPTION', ["'lossWeights' names no output", 'nope'], () => fit({ lossWeights: { nope: 2 } })],
  ['weighted metrics for no output', 'E_OPTION', ["'weightedMetrics' names no output"], () => fit({ weightedMetrics: { nope: ['accuracy'] } })],
  ['weights for validation without data', 'E_OPTION', ["needs 'validationData'"], () => fit({ validationSampleWeight: [1, 1, 1] })],
  ['weights for fewer samples of validation', 'E_MISMATCH', ['validationSampleWeight', '3', '2'], () => fit({ validationData: classes, validationSampleWeight: [1, 1] })],
  ['an unknown metric', 'E_OPTION', ['unknown metric', "'accuracy'"], () => fit({ metrics: ['acuracy'] })],
  ['a metric that is no list', 'E_OPTION', ["'metrics' is wrong", 'a list'], () => fit({ metrics: 'accuracy' })],
  ['metrics for no output', 'E_OPTION', ["'metrics' names no output", 'nope'], () => fit({ metrics: { nope: ['accuracy'] } })],
  ['accuracy of a regression', 'E_MISMATCH', ['accuracy', 'meanAbsoluteError'], async () => (await single()).fit(floats(3), { metrics: ['accuracy'] })],
  ['weights for fewer samples', 'E_MISMATCH', ['sampleWeight', '3', '2'], () => fit({ sampleWeight: [1, 2] })],
  ['weights of fewer samples to judge', 'E_MISMATCH', ['sampleWeight'], async () => (await single(3)).evaluate(classes, { sampleWeight: [1] })],
  ['a weight below 0', 'E_OPTION', ["'sampleWeight'", '>= 0'], () => fit({ sampleWeight: [1, -1, 1] })],
  ['a class that is none', 'E_OPTION', ['classWeight', '0 to 2', "'3'"], () => fit({ classWeight: { 3: 1 } })],
  ['a class that is not written as one', 'E_OPTION', ['classWeight', "'01'"], () => fit({ classWeight: { '01': 1 } })],
  ['classes of a regression', 'E_MISMATCH', ['classWeight', 'meanSquaredError'], async () => (await single()).fit(floats(2), { classWeight: 'balanced' })],
  ['three names for two classes', 'E_MISMATCH', ['3 (a, b, c)', 'got 2'], () => sequential([flatten(), dense({ units: 1 })]).fit(heaps(['a', 'b', 'c']))],
] // biome-ignore format: a table
for (const [name, code, words, action] of mistakes)
  test(`refused with a way out: ${name}`, () => assert.rejects(action, failure(code, ...words)))
