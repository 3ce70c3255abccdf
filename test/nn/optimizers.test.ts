/** Optimizers: rules as Keras has them, what goes on around them as PyTorch has it (test/golden/optimizers.py), and fit. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { uniforms } from '../../src/base/random.ts'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { input, nameOf, variable } from '../../src/graph/node.ts'
import type { FitOptions } from '../../src/index.ts'
import { fromArrays, layers, sequential, split } from '../../src/index.ts'
import type { Constraint } from '../../src/nn/constraints.ts'
import type { Optimizer } from '../../src/nn/optimizers.ts'
import { settleOptimizer } from '../../src/nn/optimizers.ts'
import type { Trained } from '../../src/nn/step.ts'
import { averageName, learningRateAt, nextState, slotName, stepRates, stepSlots } from '../../src/nn/step.ts'
import { openFast } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'
import { assertClose } from '../support/tensors.ts'

interface Case {
  readonly name: string
  readonly optimizer: string
  readonly options: object
  readonly constraints?: Readonly<Record<string, Constraint>>
}

const judges: readonly { engine: Engine; tolerance: number }[] = [
  { engine: referenceEngine(), tolerance: 1e-12 },
  ...(await openFast(1)).map((engine) => ({ engine, tolerance: 1e-6 })),
]
after(() => Promise.all(judges.map(({ engine }) => engine.close())))

interface Weight {
  readonly name: string
  readonly shape: readonly number[]
  readonly start: Numbers
  readonly constraint?: Constraint | undefined
  /** Of all steps, one after the other. */
  readonly gradients: Numbers
}

/** A program that takes a step with given gradients, and its state. */
async function planned(engine: Engine, given: Optimizer, weights: readonly Omit<Weight, 'gradients'>[]) {
  const optimizer = settleOptimizer(given)
  const state = new State(engine)
  const trained: Trained[] = []
  for (const { name, shape, start, constraint } of weights) {
    const slots: Record<string, Node> = {}
    for (const [slot, value] of Object.entries(stepSlots(optimizer))) {
      slots[slot] = variable(slotName(optimizer.type, slot, name), shape)
      // float64 on the reference engine, which 0.1 in float32 would not be
      const first = value === 'weight' ? start : new Float64Array(start.length).fill(value)
      await state.add(nameOf(slots[slot]), slots[slot], () => first)
    }
    const weight = variable(name, shape)
    await state.add(name, weight, () => start)
    trained.push({ name, weight, slots, constraint, gradient: input(`gradient/${name}`, shape) })
  }
  const rateNames = Object.keys(stepRates(optimizer, { step: 0, total: 1 }))
  const next = nextState(optimizer, trained, Object.fromEntries(rateNames.map((rate) => [rate, input(rate, [])])))
  const updates = trained.flatMap(({ weight, slots }, i): [Node, Node][] => [
    [weight, next[i].weight],
    ...Object.entries(slots).map(([slot, old]): [Node, Node] => [old, next[i].slots[slot]]),
  ])
  return { optimizer, state, program: compile(state, { updates }) }
}

/** Trains weights; gives the state after every step. */
async function stepsOf(engine: Engine, given: Optimizer, weights: readonly Weight[], steps: number) {
  const { optimizer, state, program } = await planned(engine, given, weights)
  const seen: Record<string, Numbers>[] = []
  for (let step = 0; step < steps; step++) {
    const fed: Record<string, Numbers> = {}
    for (const { name, start, gradients } of weights) {
      fed[`gradient/${name}`] = gradients.slice(step * start.length, (step + 1) * start.length)
    }
    for (const [rate, value] of Object.entries(stepRates(optimizer, { step, total: steps }))) {
      if (rate in program.inputs) fed[rate] = Float64Array.of(value)
    }
    await program.run(fed)
    seen.push(Object.fromEntries(await Promise.all(state.names.map(async (name) => [name, await state.read(name)]))))
  }
  program.close()
  state.close()
  return seen
}

const rules = golden<Case>('optimizers')
for (const { name, optimizer, options } of rules.cases) {
  for (const { engine, tolerance } of judges) {
    test(`${name} on ${engine.name}: three steps as Keras takes them`, async () => {
      const [start, gradients, wanted] = ['w0', 'gradients', 'w'].map((part) => rules.tensor(`${name}/${part}`).data)
      const given = { type: optimizer, ...options } as Optimizer
      const seen = await stepsOf(engine, given, [{ name: 'w', shape: [2], start, gradients }], 3)
      seen.forEach(({ w }, step) => {
        assertClose(w, wanted.slice(step * 2, step * 2 + 2), tolerance, `step ${step + 1}`)
      })
    })
  }
}

const around = ['steps', 'updates'].flatMap((topic) => {
  const file = golden<Case>(topic)
  return file.cases.map((one) => ({ ...one, file }))
})
for (const { name, optimizer, options, constraints, file } of around) {
  for (const { engine, tolerance } of judges) {
    test(`${name} on ${engine.name}: eight steps as PyTorch takes them`, async () => {
      const of = (weight: string, part: string) => file.tensor(`${name}/${weight}/${part}`)
      const weights = ['dense/kernel', 'dense/bias'].map((weight) => {
        const { shape, data: start } = of(weight, 'start')
        return {
          name: weight,
          shape,
          start,
          constraint: constraints?.[weight],
          gradients: of(weight, 'gradients').data,
        }
      })
      const seen = await stepsOf(engine, { type: optimizer, ...options } as Optimizer, weights, 8)
      seen.forEach((state, step) => {
        for (const { name: weight, start } of weights) {
          const wanted = (part: string) => of(weight, part).data.slice(step * start.length, (step + 1) * start.length)
          assertClose(state[weight], wanted('w'), tolerance, `step ${step + 1}: ${weight}`)
          if (!('useEma' in options)) continue
          assertClose(state[averageName(optimizer, weight)], wanted('average'), tolerance, `step ${step + 1}: average`)
        }
      })
    })
  }
}

test('clipnorm as Keras publishes it, and a gradient of zeros stays one', async () => {
  const clipped = async (clip: object, gradient: readonly number[]) => {
    const weight = { name: 'w', shape: [2], start: Float64Array.of(0, 0), gradients: Float64Array.from(gradient) }
    const [{ w }] = await stepsOf(judges[0].engine, { type: 'sgd', learningRate: 1, ...clip }, [weight], 1)
    return Array.from(w, (x) => 0 - x)
  }
  const [a, b] = await clipped({ clipnorm: 1 }, [0.1, -1])
  assert.ok(Math.abs(a - 0.0995) < 5e-5 && Math.abs(b + 0.995) < 5e-5, `${a}, ${b}`)
  for (const clip of [{ clipnorm: 1 }, { globalClipnorm: 1 }, { clipvalue: 1 }]) {
    assert.deepEqual(await clipped(clip, [0, 0]), [0, 0])
    assert.deepEqual(await clipped(clip, [0.25, -0.5]), [0.25, -0.5])
  }
})

/** Gradients whose squares overflow float32, or are 0 in it; what is left of them. */
const lengths: [clip: object, gradient: readonly number[], wanted: readonly number[]][] = [
  [{ clipnorm: 1 }, [2e20, 0], [1, 0]],
  [{ clipnorm: 1 }, [3e20, -4e20], [0.6, -0.8]],
  [{ globalClipnorm: 5 }, [3e38, -3e38], [5 / Math.SQRT2, -5 / Math.SQRT2]],
  [{ clipnorm: 1e-30 }, [3e-28, 4e-28], [6e-31, 8e-31]],
  [{ clipnorm: 1e-20 }, [3e-28, 4e-28], [3e-28, 4e-28]],
]
for (const { engine } of judges)
  for (const [clip, gradient, wanted] of lengths)
    test(`${engine.name}: ${JSON.stringify(clip)} of a gradient [${gradient}]`, async () => {
      const gradients = Float32Array.from(gradient)
      const weight = { name: 'w', shape: [2], start: Float32Array.of(0, 0), gradients }
      const [{ w }] = await stepsOf(engine, { type: 'sgd', learningRate: 1, ...clip }, [weight], 1)
      wanted.forEach((x, i) => {
        assert.ok(Math.abs(-w[i] - x) <= 1e-6 * Math.abs(x), `${w}`)
      })
    })

test('a global norm is that of all weights together, large and small', async () => {
  for (const { engine } of judges) {
    const weights = [3e20, 4e20].map((x, i) => ({
      name: `w${i}`,
      shape: [1],
      start: Float32Array.of(0),
      gradients: Float32Array.of(x),
    }))
    const [seen] = await stepsOf(engine, { type: 'sgd', learningRate: 1, globalClipnorm: 1 }, weights, 1)
    assert.ok(Math.abs(seen['w0'][0] + 0.6) < 1e-6 && Math.abs(seen['w1'][0] + 0.8) < 1e-6)
  }
})

test('what goes on around a rule is part of its loop over a weight; norms alone take loops of their own', async () => {
  const counts = async (options: object) => {
    const weights = ['a', 'b'].map((name) => ({ name, shape: [64], start: new Float32Array(64) }))
    const { program } = await planned(judges[1].engine, { type: 'adamW', ...options }, weights)
    return program.steps.filter(({ inputs }) => inputs.some(({ shape }) => shape[0] === 64)).length
  }
  assert.equal(await counts({}), 2)
  assert.equal(await counts({ clipvalue: 1, useEma: true, emaOverwriteFrequency: 9, gradientAccumulationSteps: 4 }), 2)
  assert.equal(await counts({ amsgrad: true, groups: [{ names: ['a'], learningRateFactor: 0.5, weightDecay: 0 }] }), 2)
  assert.equal(await counts({ clipnorm: 1 }), 8)
  assert.equal(await counts({ globalClipnorm: 1 }), 8)
})

test('where all weights are frozen there is nothing to clip', () => {
  assert.deepEqual(nextState(settleOptimizer({ type: 'sgd', globalClipnorm: 1 }), [], {}), [])
})

test('rates are a function of the step: what is done when, and the learning rate that is used', () => {
  const rates = (options: object, step: number, learningRate?: number) =>
    stepRates(settleOptimizer({ type: 'sgd', learningRate: 0.5, ...options }), { step, total: 12, learningRate })
  const list = (options: object, rate: string) => [0, 1, 2, 3, 4, 5].map((step) => rates(options, step)[rate])
  const accumulating = { gradientAccumulationSteps: 3 }
  assert.deepEqual(rates({}, 7), { learningRate: 0.5 })
  assert.deepEqual(rates({ weightDecay: 0.1 }, 7, 0.25), { learningRate: 0.25, kept: 0.975 })
  assert.deepEqual(list(accumulating, 'isUpdate'), [0, 0, 1, 0, 0, 1])
  assert.deepEqual(list({ useEma: true }, 'emaMomentum'), [0, 0.99, 0.99, 0.99, 0.99, 0.99])
  assert.deepEqual(list({ useEma: true, ...accumulating }, 'emaMomentum'), [0, 0, 0, 0.99, 0.99, 0.99])
  assert.deepEqual(list({ useEma: true, emaOverwriteFrequency: 2 }, 'overwrites'), [0, 1, 0, 1, 0, 1])

  const groups = [
    { names: ['a'], learningRateFactor: 0.5 },
    { names: ['b'], weightDecay: 0.2 },
  ]
  assert.deepEqual(rates({ weightDecay: 0.1, groups }, 7, 0.25), {
    'group0/learningRate': 0.125,
    'group0/kept': 1 - 0.0125,
    'group1/learningRate': 0.25,
    'group1/kept': 0.95,
    learningRate: 0.25,
    kept: 0.975,
  })

  const line = { type: 'polynomialDecay', initialLearningRate: 4, endLearningRate: 0 } as const
  const scheduled = settleOptimizer({ type: 'adam', ...accumulating }, line)
  const at = [0, 2, 3, 5, 6, 11, 12].map((step) => learningRateAt(scheduled, { step, total: 12 }))
  assert.deepEqual(at, [4, 4, 3, 3, 2, 1, 0], 'schedules count updates')
})

for (const [what, options, says] of [
  ['two ways of clipping', { clipnorm: 1, clipvalue: 1 }, ['clipnorm and clipvalue']],
  ['accumulation over one step', { gradientAccumulationSteps: 1 }, ['gradientAccumulationSteps', 'an integer >= 2']],
  [
    'a word where a list belongs',
    { excludeFromWeightDecay: 'bias' },
    ['excludeFromWeightDecay', 'a list, each a text'],
  ],
  ['overwriting without averages', { emaOverwriteFrequency: 5 }, ['emaOverwriteFrequency', 'useEma: true']],
  ['a group without names', { groups: [{ names: [] }] }, ['names', 'a list of 1 or more']],
  ['a negative factor', { groups: [{ names: ['a'], learningRateFactor: -1 }] }, ['learningRateFactor', '>= 0']],
  ['an unknown option of a group', { groups: [{ names: ['a'], learningRate: 1 }] }, ["'learningRate'"]],
  ['a clip of nothing', { clipnorm: 0 }, ['clipnorm', '> 0']],
  ['an unknown schedule', { learningRate: { type: 'cosine' } }, ['learningRate', "'cosineDecay'"]],
] as const) {
  test(`refused: ${what}`, () => {
    assert.throws(() => settleOptimizer({ type: 'adam', ...options } as never), failure('E_OPTION', ...says))
  })
}

const floats = () =>
  fromArrays({
    name: 'floats',
    inputs: { x: { shape: [4], data: uniforms({ seed: 1, stream: 0 }, 36 * 4) } },
    targets: { y: { shape: [], data: Int32Array.from({ length: 36 }, (_, i) => i % 3) } },
  })

/** A small classifier without chance, after fits on 36 samples. */
async function fitted(...fits: readonly FitOptions[]) {
  const data = floats()
  const net = sequential({ inputShape: [4], seed: 1, engine: 'reference' }, [layers.dense({ units: 3 })])
  for (const fit of fits) await net.fit(data, fit)
  return net
}

const adamW = { type: 'adamW', globalClipnorm: 0.1, learningRate: 0.01 } as const

test('fit: three steps on 12 samples that are accumulated make one on 36', async () => {
  const once = await fitted({ epochs: 4, batchSize: 36, optimizer: adamW })
  const optimizer = { ...adamW, gradientAccumulationSteps: 3 } as const
  const accumulated = await fitted({ epochs: 4, batchSize: 12, optimizer })
  const [wanted, got] = [await once.weights(), await accumulated.weights()]
  for (const [name, weight] of Object.entries(wanted)) assertClose(got[name], weight, 1e-7, name)
  // of each of the 15: two moments, the sum of gradients; and two more as Keras counts them
  assert.match(accumulated.summary(), /Optimizer params: 47 /)
})

test('fit: two trainings are one, in the middle of an accumulation too', async () => {
  const optimizer = { ...adamW, gradientAccumulationSteps: 4 } as const
  const settings = { batchSize: 12, seed: 3, optimizer } as const
  const once = await fitted({ ...settings, epochs: 5 })
  const twice = await fitted({ ...settings, epochs: 2 }, { ...settings, epochs: 3 })
  assert.deepEqual(await twice.weights(), await once.weights())
})

test('fit: with averages of weights these are judged and kept in the end, while training goes on with the others', async () => {
  const optimizer = { type: 'sgd', learningRate: 0.5, useEma: true, emaMomentum: 0.5 } as const
  const settings = { epochs: 3, batchSize: 24, validationSplit: 1 / 3, shuffle: false, optimizer } as const
  const plain = await fitted()
  const steps: Record<string, Float32Array>[] = []
  const callbacks = [{ onEpochEnd: async () => void steps.push(await plain.weights()) }]
  const data = floats()
  await plain.fit(data, { ...settings, optimizer: { type: 'sgd', learningRate: 0.5 }, callbacks })
  const averaged = await fitted()
  const { history } = await averaged.fit(data, settings)
  const weights = await averaged.weights()
  for (const [name, weight] of Object.entries(weights)) {
    const [one, two, three] = steps.map((step) => step[name])
    assertClose(
      weight,
      one.map((x, i) => x / 4 + two[i] / 4 + three[i] / 2),
      1e-6,
      name,
    )
  }
  const { loss } = await averaged.evaluate(split(data, 1 / 3)[1])
  assert.ok(Math.abs(loss - history['val_loss'][2]) < 1e-9)
})

test('fit: averages begin at the weights that are there, not where an earlier training left them', async () => {
  const still = { batchSize: 36, learningRate: 0, optimizer: { type: 'sgd', useEma: true } } as const
  const net = await fitted(still, { epochs: 20, batchSize: 36, learningRate: 0.5 })
  const before = await net.weights()
  await net.fit(floats(), still)
  assert.deepEqual(await net.weights(), before)
  await net.setWeights({ 'dense/bias': Float32Array.of(1, 2, 3) })
  await net.fit(floats(), still)
  assert.deepEqual((await net.weights())['dense/bias'], Float32Array.of(1, 2, 3))
})

test('fit: another optimizer counts its own steps, and one that comes back begins anew', async () => {
  const settings = { batchSize: 36, optimizer: 'adam', learningRate: 1e-3 } as const
  const net = await fitted({ epochs: 200, batchSize: 36, optimizer: 'sgd', learningRate: 1e-9 })
  for (const turn of ['first', 'second']) {
    const before = await net.weights()
    await net.fit(floats(), settings)
    for (const [name, weight] of Object.entries(await net.weights())) {
      // with its bias corrections, Adam's first step is the rate in every weight
      const steps = weight.map((x, i) => Math.abs(x - before[name][i]))
      assert.ok(
        steps.every((step) => Math.abs(step - 1e-3) < 2e-5),
        `${turn}: ${name} ${steps}`,
      )
    }
    await net.fit(floats(), { batchSize: 36, optimizer: 'sgd', learningRate: 1e-9 })
  }
})

test('fit: a schedule ends with the training, and wins over the rate of the optimizer', async () => {
  const line = { type: 'polynomialDecay', initialLearningRate: 0.1, endLearningRate: 0 } as const
  const trained = async (decaySteps: number | undefined, length: FitOptions) => {
    const net = await fitted({ ...length, batchSize: 12, optimizer: adamW, learningRate: { ...line, decaySteps } })
    return net.weights()
  }
  const six = await trained(6, { epochs: 2 })
  assert.deepEqual(await trained(undefined, { epochs: 2 }), six)
  assert.deepEqual(await trained(undefined, { steps: 6 }), six)
  assert.notDeepEqual(await trained(7, { epochs: 2 }), six)
})

test('fit: a group that no weight is in is refused, and says what there is', async () => {
  const optimizer = { type: 'sgd', groups: [{ names: ['dense', 'dens/kernel'] }] } as const
  const net = await fitted()
  const before = await net.weights()
  const says = ['dens/kernel', 'dense, dense/kernel, dense/bias', "did you mean 'dense/kernel'?"]
  await assert.rejects(net.fit(floats(), { optimizer }), failure('E_OPTION', ...says))
  assert.deepEqual(await net.weights(), before)
})

test('fit: a factor of 0 holds a group, decay included; frozen layers may be in one', async () => {
  const groups = [{ names: ['*/bias'], learningRateFactor: 0 }]
  const net = await fitted({ epochs: 2, optimizer: { type: 'adamW', weightDecay: 0.5, groups } })
  const [start, after] = [await (await fitted()).weights(), await net.weights()]
  assert.deepEqual(after['dense/bias'], start['dense/bias'])
  assert.notDeepEqual(after['dense/kernel'], start['dense/kernel'])

  const stack = [layers.dense({ units: 4, name: 'first' }), layers.dense({ units: 3, name: 'last' })]
  const frozen = sequential({ inputShape: [4], seed: 1, engine: 'reference' }, stack).freeze('first')
  const first = (await frozen.weights())['first/kernel']
  await frozen.fit(floats(), { optimizer: { type: 'sgd', groups: [{ names: ['first'], learningRateFactor: 9 }] } })
  assert.deepEqual((await frozen.weights())['first/kernel'], first)
})
