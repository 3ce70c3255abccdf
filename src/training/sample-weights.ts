/** What samples count for: weights of samples and classes, for the loss of a batch. */

import { FoveaError } from '../base/errors.ts'
import { choice, custom, either, number, record, show } from '../base/options.ts'
import { arrayKind, isListOf } from '../base/realm.ts'
import type { Batch, Dataset } from '../data/dataset.ts'
import { atRest } from '../data/dataset.ts'
import { Reader } from '../data/reader.ts'
import type { TypedArray } from '../graph/dtype.ts'
import type { Network } from '../network/network.ts'
import type { Objective } from '../network/objective.ts'
import { lossRow } from '../nn/losses.ts'

/** Weights by class index, or n / (classes * samples of the class), counted from the data. */
export type ClassWeight = 'balanced' | Readonly<Record<number, number>>

const isWeight = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0

/** Weights of samples, or undefined where they are none. */
export function checkSampleWeight(value: unknown): Float32Array | undefined {
  if (arrayKind(value) === 'Float32Array') return checkSampleWeight(Array.from(value as Float32Array))
  return isListOf<number>(value, isWeight) ? Float32Array.from(value) : undefined
}

/** An option of `fit` that is plain data. */
export const classWeightOptions = {
  classWeight: either(
    [
      choice(['balanced'], { says: 'counted' }),
      record(number({ says: 'a weight', min: 0 }), { says: 'weights', keys: 'class index' }),
    ],
    {
      says: 'weight of each class in the training loss; 1 when absent, and for classes that are not named; balanced: n / (classes * samples of the class), which reads the data once',
      optional: true,
    },
  ),
}

const weightsOf = (says: string) =>
  custom<Float32Array | readonly number[] | undefined>({
    says,
    accepts: 'a Float32Array or list, one number >= 0 per sample',
    check: checkSampleWeight,
    optional: true,
  })

/** An option of `fit` and `evaluate`. */
export const sampleWeightOptions = {
  sampleWeight: weightsOf(
    'weight of each sample in the loss, in the order of the data; multiplied by the weight of its class',
  ),
}
/** The same of data for validation. */
export const validationWeightOptions = {
  validationSampleWeight: weightsOf('weight of each sample of validationData, in val_loss and weighted metrics'),
}

/** What the samples of a dataset count for in the loss; all 1 where nothing is said. */
export interface Weighting {
  /** One per sample. */
  readonly samples?: ArrayLike<number> | undefined
  /** By class index; 1 for others. */
  readonly classes?: Readonly<Record<number, number>> | undefined
}

/** Refuses weights that are not one per sample. */
export function checkLength(
  sampleWeight: ArrayLike<number> | undefined,
  data: Pick<Dataset, 'length' | 'name'>,
  option = 'sampleWeight',
): void {
  if (sampleWeight === undefined || sampleWeight.length === data.length) return
  throw new FoveaError('E_MISMATCH', {
    what: `${option} needs one number per sample`,
    where: data.name,
    expected: `${data.length}`,
    got: `${sampleWeight.length}`,
  })
}

/** Refuses weights for data that are not given, or that are not one per sample. */
export function checkValidationWeight(weights: ArrayLike<number> | undefined, data: Dataset | undefined): void {
  if (data) checkLength(weights, data, 'validationSampleWeight')
  if (data || weights === undefined) return
  const hint = 'with validationSplit samples keep their own of sampleWeight'
  throw new FoveaError('E_OPTION', { what: "'validationSampleWeight' needs 'validationData'", where: 'fit', hint })
}

/** The classes' weights, checked against the only output; 'balanced' ones are counted, unless the signal comes first. */
export async function classWeightsFor(
  data: Dataset | Pick<Dataset, 'name'>,
  objective: Objective,
  network: Network,
  classWeight: ClassWeight | undefined,
  signal?: AbortSignal,
): Promise<Weighting['classes']> {
  if (classWeight === undefined) return undefined
  const { terms } = objective
  const [{ loss, output, target }] = terms
  const { classes } = lossRow(loss)
  const count = classes?.count(network.calls[network.outputs[output]].shape)
  if (!classes || count === undefined || terms.length > 1) {
    const got = terms.length > 1 ? `${terms.length} outputs` : `the loss ${loss.type}`
    const hint = 'sampleWeight says what each sample counts for'
    throw new FoveaError('E_MISMATCH', { what: 'classWeight needs one output of classes', where: data.name, got, hint })
  }
  if (classWeight === 'balanced') {
    if ('read' in data) return balanced(await countClasses(data, target, classes.of, signal))
    const hint = 'count the classes, and give a weight for each'
    throw new FoveaError('E_OPTION', { what: "classWeight 'balanced' needs a dataset", where: data.name, hint })
  }
  const known = Array.from({ length: count }, (_, i) => String(i))
  const stray = Object.keys(classWeight).find((key) => !known.includes(key))
  if (stray === undefined) return classWeight
  const expected = `0 to ${count - 1}`
  throw new FoveaError('E_OPTION', {
    what: 'classWeight names no class',
    where: data.name,
    expected,
    got: show(stray),
  })
}

/** Samples read at once to count their classes. */
const COUNTED = 256
/** Milliseconds of counting after which the event loop has a turn: a signal arrives, a page is drawn. */
const HELD = 20

async function countClasses(
  data: Dataset,
  target: string,
  classOf: (target: ArrayLike<number>) => number,
  signal: AbortSignal | undefined,
): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  const capacity = Math.min(COUNTED, data.length)
  const indicesOf = (batch: number): Uint32Array =>
    Uint32Array.from({ length: Math.min(capacity, data.length - batch * capacity) }, (_, i) => batch * capacity + i)
  const pass = { to: Math.ceil(data.length / capacity), indicesOf, capacity, reading: atRest, signal }
  let since = performance.now()
  for await (const { arrays, indices, release } of new Reader(data).batches(pass)) {
    if (performance.now() - since > HELD) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      since = performance.now()
    }
    for (let i = 0; i < indices.length; i++) {
      const found = classOf(sampleOf(arrays.targets[target], i, capacity))
      counts.set(found, (counts.get(found) ?? 0) + 1)
    }
    release()
  }
  return counts
}

/** n / (classes * samples of the class), over the classes that occur: each counts the same in sum. */
function balanced(counts: ReadonlyMap<number, number>): Record<number, number> {
  const samples = [...counts.values()].reduce((a, b) => a + b, 0)
  return Object.fromEntries([...counts].map(([found, count]) => [found, samples / (counts.size * count)]))
}

/** What an array with room for `capacity` samples holds of sample `i`. */
export function sampleOf(values: TypedArray, i: number, capacity: number): TypedArray {
  const size = values.length / capacity
  return values.subarray(i * size, (i + 1) * size)
}

/** The samples of a batch, by number, in arrays with room for `capacity`. */
export interface Room {
  readonly indices: ArrayLike<number>
  readonly capacity: number
}

/** The inputs `weights` and `present` of a program for a batch: 0 where there is no sample. */
export function weightInputs(
  { targets }: Batch,
  { terms: [{ loss, target }] }: Objective,
  { indices, capacity }: Room,
  { samples, classes }: Weighting = {},
): Record<'weights' | 'present', Float32Array> {
  const present = new Float32Array(capacity).fill(1, 0, indices.length)
  const classOf = lossRow(loss).classes?.of
  const weights = present.map((there, i) => {
    if (there === 0) return 0
    const own = samples?.[indices[i]] ?? 1
    return classes && classOf ? own * (classes[classOf(sampleOf(targets[target], i, capacity))] ?? 1) : own
  })
  return { weights, present }
}
