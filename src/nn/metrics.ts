/** Metrics by Keras's names: one number per sample, averaged over samples. */
import type { Node } from '../graph/node.ts'
import { equal } from '../ops/elementwise.ts'
import { argmax } from '../ops/reduction.ts'
import type { LossName } from './losses.ts'

export interface MetricRow {
  readonly says: string
  /** [n] from logits and targets. */
  readonly perSample: (logits: Node, target: Node) => Node
}

export const metrics = {
  accuracy: {
    says: 'Share of samples whose largest output is the right class.',
    perSample: (logits, target) => equal(argmax(logits), target.dtype === 'int32' ? target : argmax(target)),
  },
} as const satisfies Record<string, MetricRow>

export type MetricName = keyof typeof metrics

/** What is measured when nothing is asked for. */
export const defaultMetrics: { readonly [L in LossName]: readonly MetricName[] } = {
  sparseCategoricalCrossentropy: ['accuracy'],
  categoricalCrossentropy: ['accuracy'],
}
