/** Metrics that are no means over samples: over uneven batches, weighted or not, against numbers worked out in another way. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { TypedArray } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input } from '../../src/graph/node.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import type { Head } from '../../src/nn/heads.ts'
import { heads } from '../../src/nn/heads.ts'
import { totalOf, totals } from '../../src/nn/metrics/totals.ts'
import type { Metric } from '../../src/nn/metrics.ts'
import { metricSums, metricValue, settleMetric } from '../../src/nn/metrics.ts'
import { Tally } from '../../src/training/tally.ts'
import { openFast } from '../support/engines.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

interface Case {
  readonly name: string
  readonly metric: Exclude<Metric, string>
  readonly source: string
  readonly weighted: boolean
  readonly head: Head
  readonly yesAbove?: number
}

const judges = [
  { engine: referenceEngine(), tolerance: 1e-7 }, // thresholds are float32
  ...(await openFast()).map((engine) => ({ engine, tolerance: 3e-6 })),
]
after(() => Promise.all(judges.map(({ engine }) => engine.close())))

const file = golden<Case>('summed-metrics')
const BATCH = 20

/** The samples from `from` on, so many, in arrays with room for `room`: zeros, and a weight of 0, for those that are not there. */
function part({ shape, data }: { shape: readonly number[]; data: Numbers }, from: number, count: number, room: number) {
  const size = sizeOf(shape.slice(1))
  const values = new (data.constructor as typeof Float32Array)(room * size)
  values.set(data.subarray(from * size, (from + count) * size) as Float32Array)
  return values
}

/** A metric over all samples, in batches; the last is padded, or smaller. */
async function overBatches(engine: Engine, { metric, source, weighted, head, yesAbove }: Case, isPadded: boolean) {
  const [logits, target] = ['logits', 'target'].map((name) => file.tensor(`${source}/${name}`))
  const n = logits.shape[0]
  const weights = weighted ? file.tensor('weights') : { shape: [n], data: new Float32Array(n).fill(1) }
  const settled = settleMetric(metric)
  const tally = new Tally({})
  for (let from = 0; from < n; from += BATCH) {
    const count = Math.min(BATCH, n - from)
    const room = isPadded ? BATCH : count
    const dtype = target.data instanceof Int32Array ? 'int32' : 'float32'
    const x = input('x', [room, ...logits.shape.slice(1)])
    const judged = {
      logits: x,
      answer: heads[head](x),
      target: input('t', [room, ...target.shape.slice(1)], dtype),
      head,
    }
    const outputs = metricSums(settled, { ...judged, yesAbove }, input('w', [room]))
    const given = { x: logits, t: target, w: weights }
    const values = Object.entries(given).map(([name, own]) => [name, part(own, from, count, room)] as const)
    tally.add(await evaluate(engine, { outputs }, Object.fromEntries(values)), count)
  }
  return metricValue(settled)?.(tally.sums)
}

for (const { engine, tolerance } of judges) {
  suite(`golden, ${engine.name}: metrics of sums, in uneven batches`, () => {
    for (const [i, one] of file.cases.entries()) {
      test(`${one.name}${one.weighted ? ', weighted' : ''} ${JSON.stringify(one.metric)}`, async () => {
        const got = await overBatches(engine, one, i % 2 === 0)
        // what a spread of 1 around 2000 leaves of float32 is a little less
        const allowed = one.source === 'years' ? 10 * tolerance : tolerance
        assertClose([got as number] as unknown as Numbers, file.tensor(`${one.name}/value`).data, allowed, 'value')
      })
    }
  })
}

const [{ engine: reference }] = judges
const numbersOf = (nodes: Readonly<Record<string, Node>>) => evaluate(reference, { outputs: nodes }, {})

test('more rows than are exact are added by sample, and their thousands apart', async () => {
  const counts = Float32Array.from({ length: 60 }, (_, i) => 4095 * (i % 7) + i)
  const x = constant(counts, [30, 2]) // 3 samples of 10 rows
  const sums = await numbersOf(totals('hits', x, { samples: 3 }, 20))
  assert.deepEqual(Object.keys(sums), ['hits', 'hits/carry'])
  const wanted = [0, 1].map((column) => counts.filter((_, i) => i % 2 === column).reduce((a, b) => a + b))
  assert.deepEqual(Array.from(totalOf(sums, 'hits')), wanted)
  assert.ok(sums['hits/carry'].every((value) => value > 0))
  assert.deepEqual(Object.keys(totals('hits', x, { samples: 3 }, 30)), ['hits'])
})

test('counts beyond 2^24 are exact: batches are added in float64', () => {
  const metric = settleMetric('precision')
  const tally = new Tally({ precision: (sums) => metricValue(metric)?.(sums) as number })
  const batch = { hits: Float32Array.of(2 ** 24 - 1), decided: Float32Array.of(2 ** 24), support: Float32Array.of(0) }
  for (let i = 0; i < 100; i++) tally.add(batch, 1)
  assert.equal(tally.sums['hits'][0], 100 * (2 ** 24 - 1))
  assert.equal(tally.means['precision'], (2 ** 24 - 1) / 2 ** 24)
})

/** What has no denominator: nothing decided for, no such class, no sample at all. */
const corners: [name: string, metric: Metric, head: Head, logits: number[][], target: TypedArray, wanted: number][] = [
  ['nothing decided for', 'precision', 'sigmoid', [[-1], [-2]], Int32Array.of(1, 0), 0],
  ['nothing to find', 'recall', 'sigmoid', [[1], [2]], Int32Array.of(0, 0), 0],
  ['neither', 'f1Score', 'sigmoid', [[-1], [-2]], Int32Array.of(0, 0), 0],
  ['a curve of one side', 'auc', 'sigmoid', [[1], [2]], Int32Array.of(1, 1), 0],
  ['a perfect curve', 'auc', 'sigmoid', [[-1], [2]], Int32Array.of(0, 1), 1],
  ['a perfect curve', { type: 'auc', curve: 'PR' }, 'sigmoid', [[-1], [2]], Int32Array.of(0, 1), 1],
  ['never reached', { type: 'precisionAtRecall', recall: 1 }, 'sigmoid', [[1], [2]], Int32Array.of(0, 0), 0],
  ['one class only', 'cohenKappa', 'softmax', [[1, 0], [2, 0]], Int32Array.of(0, 0), 0],
  ['one class only', 'matthewsCorrelation', 'softmax', [[1, 0], [2, 0]], Int32Array.of(0, 0), 0],
  ['all wrong', 'matthewsCorrelation', 'softmax', [[1, 0], [0, 2]], Int32Array.of(1, 0), -1],
  ['all right', 'cohenKappa', 'softmax', [[1, 0], [0, 2]], Int32Array.of(0, 1), 1],
  ['sure and right', 'expectedCalibrationError', 'sigmoid', [[1000], [-1000]], Int32Array.of(1, 0), 0],
  ['sure and wrong', 'expectedCalibrationError', 'softmax', [[1000, 0]], Int32Array.of(1), 1],
  ['constant targets, right', 'r2Score', 'linear', [[3], [3]], Float32Array.of(3, 3), 1],
  ['constant targets, wrong', 'r2Score', 'linear', [[3], [4]], Float32Array.of(3, 3), 0],
  ['the mean', 'r2Score', 'linear', [[2], [2]], Float32Array.of(1, 3), 0],
  ['ties for the last place', { type: 'recall', topK: 2, average: 'micro' }, 'softmax', [[3, 2, 2]], Int32Array.of(2), 1],
  ['two larger', { type: 'recall', topK: 2, average: 'micro' }, 'softmax', [[3, 3, 2]], Int32Array.of(2), 0],
  ['not a number', { type: 'recall', topK: 2, average: 'micro' }, 'softmax', [[Number.NaN, 3, 2]], Int32Array.of(0), 0],
] // biome-ignore format: a table
for (const [name, metric, head, rows, target, wanted] of corners) {
  const settled = settleMetric(metric)
  test(`${settled.type}: ${name}`, async () => {
    const logits = constant(Float32Array.from(rows.flat()), [rows.length, rows[0].length])
    const judged = { logits, answer: heads[head](logits), target: constant(target, [rows.length]), head }
    const ones = constant(new Float32Array(rows.length).fill(1), [rows.length])
    const sums = await numbersOf(metricSums(settled, judged, ones))
    assert.equal(metricValue(settled)?.(sums), wanted)
  })
}

test('many thresholds, classes and places are taken in blocks with the same result', async () => {
  const [n, classes] = [40, 90]
  const logits = constant(
    Float32Array.from({ length: n * classes }, (_, i) => 3 * Math.sin(i * i)),
    [n, classes],
  )
  const target = constant(Int32Array.from({ length: n }, (_, i) => (i * 7) % classes))
  const judged = { logits, answer: heads.softmax(logits), target, head: 'softmax' } as const
  const ones = constant(new Float32Array(n).fill(1), [n])
  const values = async (metric: Metric) => {
    const settled = settleMetric(metric)
    return metricValue(settled)?.(await numbersOf(metricSums(settled, judged, ones))) as number
  }
  const scores = (await numbersOf({ answer: judged.answer }))['answer']
  const rank = (row: number) => {
    const own = scores.slice(row * classes, (row + 1) * classes)
    return own.filter((score) => score > own[(row * 7) % classes]).length
  }
  const k = Math.max(...Array.from({ length: 9 }, (_, row) => rank(row))) // one of them just misses it
  const found = Array.from({ length: n }, (_, row) => rank(row) < k).filter(Boolean).length
  assert.ok(Math.abs((await values({ type: 'recall', topK: k, average: 'micro' })) - found / n) < 1e-12)
  const isOwn = (at: number): boolean => at % classes === (Math.floor(at / classes) * 7) % classes
  const isAbove = (i: number) => (score: number) => score > i / 399 // no score is at one of the ends
  const [own, other] = [scores.filter((_, at) => isOwn(at)), scores.filter((_, at) => !isOwn(at))]
  const points = Array.from({ length: 400 }, (_, i) =>
    [own, other].map((of) => of.filter(isAbove(i)).length / of.length),
  )
  const wanted = points.slice(1).reduce((area, [y, x], i) => area + ((points[i][1] - x) * (points[i][0] + y)) / 2, 0)
  const area = await values({ type: 'auc', numThresholds: 400 }) // 40 x 90 x 400 numbers lie between: 6 blocks
  assert.ok(Math.abs(area - wanted) < 1e-9, `${area}, not ${wanted}`)
})
