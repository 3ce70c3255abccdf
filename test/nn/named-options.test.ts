/** What a user may write as a loss, an optimizer and the like: TypeScript knows the options of each type. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Initializer, LearningRate, Loss, Metric, Optimizer } from '../../src/index.ts'
import { fitOptions } from '../../src/training/fit-options.ts'

test('right ones', () => {
  const losses: readonly Loss[] = ['huber', { type: 'huber', delta: 2 }, { type: 'meanSquaredError' }]
  const metrics: readonly Metric[] = ['accuracy', { type: 'topKAccuracy', k: 2 }]
  const optimizers: readonly Optimizer[] = [
    'sgd',
    { type: 'sgd', momentum: 0.9, learningRate: { type: 'cosineDecay', initialLearningRate: 1 } },
    { type: 'adamW', weightDecay: 0.1, clipnorm: 1, excludeFromWeightDecay: ['bias'] },
  ]
  const rates: readonly LearningRate[] = [
    0.1,
    { type: 'stepDecay', initialLearningRate: 1, decaySteps: 2, warmupSteps: 3 },
  ]
  const initializers: readonly Initializer[] = ['zeros', { type: 'constant', value: 1 }]
  for (const loss of losses) assert.deepEqual(fitOptions.loss.check(loss), loss)
  assert.deepEqual(fitOptions.metrics.check(metrics), metrics)
  for (const optimizer of optimizers) assert.deepEqual(fitOptions.optimizer.check(optimizer), optimizer)
  for (const rate of rates) assert.deepEqual(fitOptions.learningRate.check(rate), rate)
  assert.equal(initializers.length, 2)
})

test('wrong ones do not compile', () => {
  // @ts-expect-error no such loss
  const unknown: Loss = 'hubr'
  // @ts-expect-error an option of another loss
  const foreign: Loss = { type: 'huber', labelSmoothing: 0.1 }
  // @ts-expect-error an option of no optimizer
  const misspelt: Optimizer = { type: 'sgd', momentun: 0.9 }
  // @ts-expect-error a text for a number
  const text: Optimizer = { type: 'adam', beta1: '0.9' }
  // @ts-expect-error a schedule is nothing without its options
  const bare: LearningRate = 'cosineDecay'
  // @ts-expect-error a required option is missing
  const missing: LearningRate = { type: 'cosineDecay' }
  for (const optimizer of [misspelt, text]) assert.throws(() => fitOptions.optimizer.check(optimizer))
  for (const loss of [unknown, foreign]) assert.throws(() => fitOptions.loss.check(loss))
  assert.equal(fitOptions.learningRate.check(bare), undefined)
  assert.throws(() => fitOptions.learningRate.check(missing))
})
