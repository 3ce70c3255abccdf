/** The report of a classifier: counts against those of single answers, averages by their definitions, text without commands. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { ClassificationReport, Dataset } from '../../src/index.ts'
import { fromArrays, input, layers, model, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'

const { dense, flatten } = layers
const N = 157 // two batches, the second smaller

const x = Float32Array.from({ length: N * 4 }, (_, i) => Math.sin(i * i))
const points = (y: Dataset['targets'][string] & { data: Float32Array | Int32Array }, classNames?: readonly string[]) =>
  fromArrays({
    name: 'points',
    inputs: { x: { shape: [4], data: x } },
    targets: { y },
    ...(classNames && { classNames }),
  })
const labels = Int32Array.from({ length: N }, (_, i) => (i * i + (i >> 2)) % 3)
const net = (units: number, activation: 'linear' | 'sigmoid' = 'linear') =>
  sequential({ inputShape: [4], seed: 2, engine: 'reference' }, [dense({ units, activation })])

/** What single answers say. */
function counted(truth: ArrayLike<number>, said: ArrayLike<number>, classes: number, weights?: ArrayLike<number>) {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (let i = 0; i < truth.length; i++) matrix[truth[i]][said[i]] += weights?.[i] ?? 1
  return matrix
}

function assertScores({ classes, macroAverage, weightedAverage, accuracy, confusion }: ClassificationReport): void {
  const matrix = confusion as number[][]
  const all = matrix.flat().reduce((a, b) => a + b, 0)
  const near = (got: number | undefined, wanted: number) => assert.ok(Math.abs((got as number) - wanted) < 1e-12)
  const sum = (list: number[]) => list.reduce((a, b) => a + b, 0)
  for (const { index, precision, recall, f1Score, support } of classes) {
    const [hits, row, column] = [matrix[index][index], sum(matrix[index]), sum(matrix.map((own) => own[index]))]
    near(support, row)
    near(precision, column && hits / column)
    near(recall, row && hits / row)
    near(f1Score, hits && (2 * precision * recall) / (precision + recall))
  }
  for (const score of ['precision', 'recall', 'f1Score'] as const) {
    near(macroAverage[score], sum(classes.map((own) => own[score])) / classes.length)
    near(weightedAverage[score], sum(classes.map((own) => own[score] * own.support)) / all)
  }
  near(accuracy, sum(matrix.map((row, i) => row[i])) / all)
}

suite('classificationReport', () => {
  test('classes: the matrix of all answers, and what evaluate gives', async () => {
    const own = net(3)
    const data = points({ shape: [], data: labels, dtype: 'int32' }, ['ant', 'bee', 'cat'])
    await own.fit(data, { epochs: 3, metrics: ['accuracy', 'f1Score', 'cohenKappa'] })
    const report = await own.classificationReport(data, { batchSize: 100 })
    const answers = (await own.predict(x)).classes
    assert.deepEqual(report.confusion, counted(labels, answers, 3))
    assert.deepEqual(report.logs, await own.evaluate(data, { batchSize: 100 }))
    assert.deepEqual([report.samples, report.classes[1].className, report.output], [N, 'bee', 'output'])
    assert.equal(report.logs['f1Score'], report.macroAverage.f1Score)
    assert.equal(report.accuracy, report.logs['accuracy'])
    assertScores(report)
    const sampleWeight = Array.from({ length: N }, (_, i) => i % 4)
    const weighted = await own.classificationReport(data, { sampleWeight })
    assert.deepEqual(weighted.confusion, counted(labels, answers, 3, sampleWeight))
    assertScores(weighted)
  })

  test('the same on every engine and in mixed precision, as one-hot rows and as indices', async () => {
    const rows = Float32Array.from({ length: 3 * N }, (_, i) => (labels[Math.floor(i / 3)] === i % 3 ? 1 : 0))
    const data = points({ shape: [], data: labels, dtype: 'int32' })
    const own = net(3)
    await own.fit(data, { epochs: 2 })
    const wanted = (await own.classificationReport(data)).confusion
    assert.deepEqual((await own.classificationReport(data, { engine: 'wasm' })).confusion, wanted)
    const oneHot = await own.classificationReport(points({ shape: [3], data: rows, dtype: 'float32' }), {
      loss: 'categoricalCrossentropy',
    })
    assert.deepEqual(oneHot.confusion, wanted)
  })

  for (const engine of ['reference', ...fastEngines] as const)
    test(`${engine}, in mixed precision: what is reported is what it answers`, async () => {
      const own = sequential({ inputShape: [4], seed: 2, engine, precision: 'mixed_bfloat16' }, [
        dense({ units: 16, activation: 'tanh' }),
        dense({ units: 3 }),
      ])
      const data = points({ shape: [], data: labels, dtype: 'int32' })
      const metrics = ['precision', { type: 'auc', classId: 1, numThresholds: 500 }] as const
      await own.fit(data, { metrics, epochs: 2, learningRate: 0.05 })
      const answers = await own.predict(x)
      const report = await own.classificationReport(data)
      assert.deepEqual(report.confusion, counted(labels, answers.classes, 3))
      assertScores(report)
      const [scores, so] = [answers.data.filter((_, i) => i % 3 === 1), labels.map((label) => (label === 1 ? 1 : 0))]
      const share = (of: number, i: number) =>
        scores.filter((score, at) => so[at] === of && score > i / 499).length / so.filter((own) => own === of).length
      const ends = Array.from({ length: 499 }, (_, i) => i)
      const area = ends.reduce(
        (sum, i) => sum + ((share(0, i) - share(0, i + 1)) * (share(1, i) + share(1, i + 1))) / 2,
        0,
      )
      assert.ok(Math.abs(report.logs['auc_1'] - area) < 1e-6, `${report.logs['auc_1']}, not ${area}`)
    })

  test('two classes by one output', async () => {
    const own = net(1, 'sigmoid')
    const yes = labels.map((label) => Math.min(label, 1))
    const data = points({ shape: [], data: yes, dtype: 'int32' }, ['no', 'yes'])
    await own.fit(data, { epochs: 2, learningRate: 0.1 })
    const report = await own.classificationReport(data)
    assert.deepEqual(report.confusion, counted(yes, (await own.predict(x)).classes, 2))
    assert.deepEqual(
      report.classes.map(({ className }) => className),
      ['no', 'yes'],
    )
    assertScores(report)
  })

  test('several labels per sample: each for itself, without a matrix', async () => {
    const own = net(2)
    const marks = Float32Array.from({ length: 2 * N }, (_, i) => (x[2 * i] > 0 ? 1 : 0))
    const data = points({ shape: [2], data: marks, dtype: 'float32' })
    await own.fit(data, { loss: 'binaryCrossentropy', epochs: 2 })
    const report = await own.classificationReport(data)
    assert.deepEqual([report.confusion, report.accuracy], [undefined, undefined])
    const { data: answers } = await own.predict(x)
    for (const { index, precision, support } of report.classes) {
      const own = Array.from({ length: N }, (_, i) => [marks[2 * i + index], answers[2 * i + index] > 0.5 ? 1 : 0])
      const said = own.filter(([, chosen]) => chosen === 1)
      assert.equal(support, own.filter(([so]) => so === 1).length)
      assert.equal(precision, said.filter(([so]) => so === 1).length / said.length)
    }
    assert.match(String(report), /micro avg/)
  })

  test('as text: a table, the matrix, names that command no terminal; large matrices are data only', async () => {
    const data = points({ shape: [], data: labels, dtype: 'int32' }, ['a\u001b[2Jnt', 'bee\nbee', 'cat'])
    const own = net(3)
    await own.fit(data)
    const text = String(await own.classificationReport(data))
    assert.ok(!text.includes('\u001b'))
    const lines = text.split('\n')
    assert.match(lines[0], /^ +precision {2}recall {2}f1-score {2}support$/)
    assert.equal(lines.filter((line) => line.includes('\\u000abee')).length, 2)
    assert.match(text, /accuracy +0\.\d{4} +157\n/)
    assert.match(text, /\n +macro avg( +0\.\d{4}){3} +157\n *weighted avg/)
    assert.equal(lines.at(-1)?.trim().split(/ +/).slice(2).length, 3)
    const many = points({ shape: [], data: labels, dtype: 'int32' })
    const wide = net(21)
    await wide.fit(many)
    const report = await wide.classificationReport(many)
    assert.equal(report.confusion?.length, 21)
    assert.doesNotMatch(String(report), /confusion/)
    assert.deepEqual(JSON.parse(JSON.stringify(report)).classes.length, 21)
  })

  test('of several outputs the one that says classes, or the one asked for', async () => {
    const start = input([4], { name: 'x' })
    const outputs = {
      kind: dense({ units: 3 })(start),
      size: dense({ units: 1 })(start),
      side: dense({ units: 3 })(start),
    }
    const own = model(start, outputs, { engine: 'reference' })
    const data = fromArrays({
      name: 'three',
      inputs: { x: { shape: [4], data: x } },
      targets: {
        kind: { shape: [], data: labels },
        size: { shape: [], data: Float32Array.from(labels) },
        side: { shape: [], data: labels.toReversed() },
      },
    })
    await own.fit(data)
    await assert.rejects(() => own.classificationReport(data), failure('E_MISMATCH', 'kind, side', 'output'))
    const { output, classes, logs } = await own.classificationReport(data, { output: 'side' })
    assert.deepEqual([output, classes.length], ['side', 3])
    assert.deepEqual(logs, await own.evaluate(data))
    await assert.rejects(() => own.classificationReport(data, { output: 'size' }), failure('E_MISMATCH', 'size'))
  })

  test('numbers are no classes', async () => {
    const own = sequential({ engine: 'reference' }, [flatten(), dense({ units: 1 })])
    const data = points({ shape: [], data: Float32Array.from(labels), dtype: 'float32' })
    await own.fit(data)
    await assert.rejects(() => own.classificationReport(data), failure('E_MISMATCH', 'meanSquaredError'))
  })
})
