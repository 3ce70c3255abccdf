/** Data with what a network makes of their fields: settled once, and passed on to all who read them. */
import type { Dataset } from '../data/dataset.ts'
import type { Objective } from '../network/objective.ts'

/** What is known of data before any are read. */
export type Described = Pick<Dataset, 'name' | 'inputs' | 'targets'>

export interface Task<D extends Described = Dataset> {
  readonly data: D
  readonly objective: Objective
}
