/**
 * Truth from outside is demanded: every row of the tables of ops, activations, losses, metrics, layers, optimizers and schedules
 * has a golden row (test/golden), or stands here with its reason.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activations } from '../src/nn/activations.ts'
import { layers } from '../src/nn/layers/index.ts'
import { losses } from '../src/nn/losses.ts'
import { metrics } from '../src/nn/metrics.ts'
import { optimizers } from '../src/nn/optimizers.ts'
import { schedules } from '../src/nn/schedules.ts'
import { elementwiseOps } from '../src/ops/elementwise.ts'
import { kernelOps } from '../src/ops/index.ts'
import { golden } from './support/golden.ts'

type Named = string | { readonly type: string }
interface Case {
  readonly op?: string
  readonly kind?: string
  readonly layer?: string
  readonly options?: { readonly activation?: string }
  readonly loss?: Named
  readonly metric?: Named
  readonly optimizer?: Named
  readonly schedule?: Named
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

const demands: Readonly<Record<string, Demand>> = {
  'elementwise ops': { rows: elementwiseOps, golden: opNames },
  'ops with a kernel': {
    rows: kernelOps,
    golden: opNames,
    reasons: {
      convolutionInputGradient: "dx of every case of 'convolution'",
      convolutionKernelGradient: "dkernel of every case of 'convolution'",
      maxPoolGradient: "dx of the cases of 'pooling'",
      averagePoolGradient: "dx of the cases of 'pooling'",
      gatherGradient: "d0 of the case of 'gather'",
      randomUniform: 'PyTorch draws otherwise: the vectors of Random123 (test/base/random.test.ts)',
      randomNormal: 'PyTorch draws otherwise: the vectors of Random123, and moments (test/base/random.test.ts)',
    },
  },
  activations: { rows: activations, golden: names('layers', ({ options }) => options?.activation) },
  losses: { rows: losses, golden: names('sample-losses', ({ loss }) => loss) },
  metrics: { rows: metrics, golden: names('metrics', ({ metric }) => metric) },
  layers: { rows: layers, golden: names('layers', ({ layer }) => layer) },
  optimizers: { rows: optimizers, golden: names('optimizers', ({ optimizer }) => optimizer) },
  schedules: { rows: schedules, golden: names('schedules', ({ schedule }) => schedule) },
}

for (const [table, { rows, golden: given, reasons = {} }] of Object.entries(demands)) {
  test(`a golden row for each of the ${table}`, () => {
    const without = Object.keys(rows).filter((name) => !given.includes(name))
    assert.ok(given.length > 0, 'the golden files name none')
    assert.deepEqual(
      without.sort(),
      Object.keys(reasons).sort(),
      'write a row in test/golden, or say here why there is none',
    )
  })
}
