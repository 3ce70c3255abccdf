/**
 * Truth from outside is demanded: every row of the tables of ops, activations, losses, metrics, layers, optimizers, constraints, schedules,
 * initializers, regularizers, transforms and fill modes has a golden row (test/golden), or stands here with its reason. The
 * golden inputs of an activation lie on all its pieces.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillModes } from '../src/data/transforms/fill.ts'
import { transforms } from '../src/data/transforms/index.ts'
import { referenceEngine } from '../src/engines/reference/engine.ts'
import { input } from '../src/graph/node.ts'
import type { Activation } from '../src/nn/activations.ts'
import { activate, activations } from '../src/nn/activations.ts'
import { constraints } from '../src/nn/constraints.ts'
import { initializers } from '../src/nn/initializers.ts'
import { layers } from '../src/nn/layers/index.ts'
import { losses } from '../src/nn/losses.ts'
import { metrics } from '../src/nn/metrics.ts'
import { optimizers } from '../src/nn/optimizers.ts'
import { regularizers } from '../src/nn/regularizers.ts'
import { schedules } from '../src/nn/schedules.ts'
import { elementwiseOps } from '../src/ops/elementwise.ts'
import { kernelOps } from '../src/ops/index.ts'
import { golden } from './support/golden.ts'
import { evaluate } from './support/tensors.ts'

type Named = string | { readonly type: string }
interface Case {
  readonly name: string
  readonly op?: string
  readonly kind?: string
  readonly layer?: string
  readonly options?: { readonly activation?: Activation }
  readonly loss?: Named
  readonly metric?: Named
  readonly optimizer?: Named
  readonly constraint?: Named
  readonly schedule?: Named
  readonly mode?: string
  readonly transform?: string
}

/** The names that a file's cases have. */
const names = (topic: string, of: (row: Case) => Named | undefined): string[] =>
  golden<Case>(topic).cases.flatMap((row) => {
    const name = of(row)
    return name === undefined ? [] : [typeof name === 'string' ? name : name.type]
  })

const opNames = [
  ...['losses', 'ops', 'pooling'].flatMap((topic) => names(topic, ({ op }) => op)),
  ...names('losses', ({ kind }) => (kind === 'power' ? 'pow' : undefined)),
  ...(golden('convolution').cases.length > 0 ? ['convolution'] : []),
]

interface Demand {
  readonly rows: object
  readonly golden: readonly string[]
  /** Rows without a golden row, each with its reason. */
  readonly reasons?: Readonly<Record<string, string>>
}

/** The files that have what layers give. */
const layerTopics = ['layers', 'sample-layers', 'activations', 'sequences', 'windows']

/** The cases of the layer that does nothing but an activation, with the file that has them. */
const activationCases = layerTopics.flatMap((topic) => {
  const file = golden<Case>(topic)
  const own = file.cases.filter(({ layer }) => layer === 'activation')
  return own.map(({ name, options }) => ({ name, file, activation: options?.activation as Activation }))
})
/** `relu`, and `relu maxValue` for each option that a case gives it. */
const saidBy = (activation: Activation): string[] => {
  if (typeof activation === 'string') return [activation]
  const { type, ...options } = activation
  return Object.keys(options).map((option) => `${type} ${option}`)
}

const HAND = "Keras's sum and its slope, worked out by hand (test/nn/regularizers.test.ts)"
const MOMENTS = "the draws are our own: range and moments by the papers' formulas (test/nn/initial-values.test.ts)"
const EXACT = 'the values are the definition (test/nn/initial-values.test.ts, initializers.test.ts)'
const drawn = [
  ...['glorotUniform', 'glorotNormal', 'heUniform', 'heNormal', 'lecunUniform', 'lecunNormal'],
  ...['randomNormal', 'truncatedNormal', 'randomUniform', 'varianceScaling'],
]

const demands: Readonly<Record<string, Demand>> = {
  'elementwise ops': { rows: elementwiseOps, golden: opNames },
  'ops with a kernel': {
    rows: kernelOps,
    golden: opNames,
    reasons: {
      convolutionInputGradient: "dx of every case of 'convolution'",
      convolutionKernelGradient: "dkernel of every case of 'convolution'",
      maxPoolGradient: "dx of the cases of 'pooling'",
      maxPoolTake: 'the derivative of maxPoolGradient, by finite differences (test/ops/gradient.test.ts)',
      averagePoolGradient: "dx of the cases of 'pooling'",
      gatherGradient: "d0 of the case of 'gather'",
      windowSum: "y and dx of localResponseNormalization in 'sample-layers'",
      randomUniform: 'PyTorch draws otherwise: the vectors of Random123 (test/base/random.test.ts)',
      randomNormal: 'PyTorch draws otherwise: the vectors of Random123, and moments (test/base/random.test.ts)',
    },
  },
  activations: { rows: activations, golden: activationCases.flatMap(({ activation }) => saidBy(activation)) },
  'options of activations': {
    rows: Object.fromEntries(
      Object.entries(activations).flatMap(([name, { options }]) =>
        Object.entries(options).map(([option, row]) => [`${name} ${option}`, row]),
      ),
    ),
    golden: activationCases.flatMap(({ activation }) => saidBy(activation)),
  },
  losses: {
    rows: losses,
    golden: ['sample-losses', 'further-losses'].flatMap((topic) => names(topic, ({ loss }) => loss)),
  },
  metrics: {
    rows: metrics,
    golden: ['metrics', 'summed-metrics'].flatMap((topic) => names(topic, ({ metric }) => metric)),
  },
  layers: {
    rows: layers,
    golden: layerTopics.flatMap((topic) => names(topic, ({ layer }) => layer)),
    reasons: { lambda: "the function is the user's (test/nn/sequences.test.ts)" },
  },
  optimizers: {
    rows: optimizers,
    golden: ['optimizers', 'updates'].flatMap((topic) => names(topic, ({ optimizer }) => optimizer)),
  },
  constraints: { rows: constraints, golden: names('constraints', ({ constraint }) => constraint) },
  schedules: { rows: schedules, golden: names('schedules', ({ schedule }) => schedule) },
  transforms: {
    rows: transforms,
    golden: [
      ...names('transforms', ({ mode }) => mode && 'randomCrop'),
      ...(golden('transforms').has('both/flipped') ? ['randomFlip'] : []),
      ...['geometry', 'colour'].flatMap((topic) => names(topic, ({ transform }) => transform)),
    ],
    reasons: {
      rescale: 'x * scale + offset, worked out for every byte of a picture (test/data/transforms.test.ts)',
      randomErasing: 'rectangles are our own draws: their bounds by the options (test/data/colour.test.ts)',
      randomNoise: 'the draws are our own: moments, and numbers that do not hang together (test/data/colour.test.ts)',
    },
  },
  'fill modes': {
    rows: Object.fromEntries(fillModes.map((mode) => [mode, mode])),
    golden: names('transforms', ({ mode }) => mode),
  },
  regularizers: {
    rows: regularizers,
    golden: [],
    reasons: {
      l1: HAND,
      l2: HAND,
      l1L2: HAND,
    },
  },
  initializers: {
    rows: initializers,
    golden: [],
    reasons: {
      ...Object.fromEntries(drawn.map((name) => [name, MOMENTS])),
      torchDefault:
        "bounds and moments of PyTorch's own layers (test/golden/initializers.py, test/nn/torch-default.test.ts)",
      orthogonal: 'the Q of a QR by what defines it (test/nn/initializers.test.ts)',
      identity: EXACT,
      zeros: EXACT,
      ones: EXACT,
      constant: EXACT,
    },
  },
}

for (const [table, { rows, golden: given, reasons = {} }] of Object.entries(demands)) {
  test(`a golden row for each of the ${table}`, () => {
    const without = Object.keys(rows).filter((name) => !given.includes(name))
    const isExcused = Object.keys(rows).every((name) => Object.hasOwn(reasons, name))
    assert.ok(given.length > 0 || isExcused, 'the golden files name none')
    assert.deepEqual(
      without.sort(),
      Object.keys(reasons).sort(),
      'write a row in test/golden, or say here why there is none',
    )
  })
}

const STEP = 1 / 32
/** Where an activation bends: its slope jumps from one step of a fine grid to the next, by more than its curve does nearby. */
async function bendsOf(activation: Activation): Promise<number[]> {
  const grid = Float64Array.from({ length: 20 / STEP + 1 }, (_, i) => i * STEP - 10)
  const x = input('x', [1, grid.length])
  const { y } = await evaluate(referenceEngine(), { outputs: { y: activate(x, activation) } }, { x: grid })
  const jump = (i: number) => Math.abs(y[i + 1] - 2 * y[i] + y[i - 1]) / STEP
  const isBend = (i: number) => jump(i) > 4 * Math.max(jump(i - 2), jump(i + 2)) + 1e-3
  const bends = Array.from(grid.keys()).slice(3, -3).filter(isBend)
  return bends.filter((at, i) => at - bends[i - 1] !== 1).map((at) => grid[at])
}

/** The bends that the definitions have: what is found is held against them. */
const bent: Readonly<Record<string, readonly number[]>> = {
  relu: [0],
  relu6: [0, 6],
  leakyRelu: [0],
  selu: [0],
  hardSigmoid: [-3, 3],
  hardSwish: [-3, 3],
  hardTanh: [-1, 1],
  'relu maxValue=2.5': [0, 2.5],
  'relu negativeSlope=0.25': [0],
  'relu threshold=2': [2],
  'relu maxValue=3.5 negativeSlope=0.125 threshold=1': [1, 3.5],
  'relu maxValue=6 negativeSlope=0.5': [0, 6],
  'leakyRelu negativeSlope=0.01': [0],
  'leakyRelu negativeSlope=-0.5': [0],
  'elu alpha=0.5': [0],
  'elu alpha=2': [0],
  'hardTanh minValue=-2 maxValue=0.5': [-2, 0.5],
  'hardSigmoid slope=0.2 offset=0.5': [-2.5, 2.5],
  'hardSigmoid slope=0.5 offset=0.25': [-0.5, 1.5],
}
const wordsOf = (activation: Activation): string => {
  const { type, ...options } = typeof activation === 'string' ? { type: activation } : activation
  return [type, ...Object.entries(options).map(([name, value]) => `${name}=${value}`)].join(' ')
}
for (const { name, file, activation } of activationCases) {
  const words = wordsOf(activation)
  test(`golden inputs lie on all pieces of ${words}`, async () => {
    const found = /oftmax/.test(words) ? [] : await bendsOf(activation)
    assert.deepEqual(found, bent[words] ?? [], 'say where it bends')
    const inputs = Array.from(file.tensor(`${name}/x0`).data)
    const ends = [-8, ...found, 8]
    for (const [i, from] of ends.slice(0, -1).entries()) {
      const within = inputs.filter((x) => x > from && x < ends[i + 1])
      assert.ok(within.length >= 2, `${within.length} inputs within ${from} and ${ends[i + 1]}`)
    }
    for (const side of [-1, 1]) assert.ok(inputs.filter((x) => side * x > 4).length >= 2, 'few inputs beyond 4')
  })
}
