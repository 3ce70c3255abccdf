/** A dataset whose samples are changed when they are read: flipped, cropped, rescaled. */
import { FoveaError } from '../base/errors.ts'
import type { Options, OptionTable, Settled } from '../base/options.ts'
import { settleNamed, show } from '../base/options.ts'
import { checksum } from '../files/checksum.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import { sameShape } from '../graph/shape.ts'
import { BatchPool } from './batch.ts'
import { passesOf, runPasses } from './chain.ts'
import type { Dataset, TransformStep } from './dataset.ts'
import { atRest, wantDataset } from './dataset.ts'
import type { Preprocessing } from './preprocessing.ts'
import { settlePreprocessing } from './preprocessing.ts'
import type { TransformName } from './transforms/index.ts'
import { transforms } from './transforms/index.ts'
import type { Prepared, TransformRow } from './transforms/transform.ts'

/** A transform as a user names it: `{ type: 'randomFlip', mode: 'horizontal' }`, and the `field` that it is for. */
export type Transform = {
  [N in TransformName]: { readonly type: N; readonly field?: string } & Options<(typeof transforms)[N]['options']>
}[TransformName]

/** One of them, settled, for the samples of its dataset. */
type Stage = Prepared & { readonly step: TransformStep & { readonly field: string } }

/** What a reader of ours is made of: further transforms are joined with its own. */
const readers = new WeakMap<Dataset['read'], { readonly base: Dataset; readonly stages: readonly Stage[] }>()

/**
 * The samples of `dataset`, each transformed by all of `list` in turn whenever it is read. What is random in that is a
 * function of (seed, epoch, number of the sample, place in the list), so the same for every reader and in any order; outside
 * training nothing random is done. A `field` must be named where there are several inputs.
 */
export function transform(dataset: Dataset, list: readonly Transform[]): Dataset {
  wantDataset(dataset, 'transform')
  if (!Array.isArray(list) || list.length === 0) {
    const expected = "a list such as [{ type: 'randomFlip', mode: 'horizontal' }]"
    throw new FoveaError('E_OPTION', { what: 'needs transforms', where: 'transform', expected, got: show(list) })
  }
  const { base, stages: before } = readers.get(dataset.read) ?? { base: dataset, stages: [] }
  const inputs: Record<string, TensorSpec> = { ...dataset.inputs }
  let preprocessing = dataset.preprocessing && settlePreprocessing(dataset.preprocessing)
  const added = list.map((given): Stage => {
    const { field: named, ...rest } = asObject(given)
    const field = named ?? onlyField(dataset)
    if (!Object.hasOwn(inputs, field)) {
      const expected = Object.keys(inputs).join(', ')
      throw new FoveaError('E_OPTION', { what: 'has no such input', where: dataset.name, expected, got: show(field) })
    }
    const { type, options } = settleNamed(transforms, rest, 'transform')
    const row: TransformRow<OptionTable> = transforms[type] as never // its own options, which the table has settled
    const prepared = row.prepare(inputs[field], options)
    preprocessing &&= preprocessingAfter(row, preprocessing, options, isSame(inputs[field], prepared.spec))
    inputs[field] = prepared.spec
    return { ...prepared, step: { type, field, ...options } }
  })
  const stages = [...before, ...added]
  const steps = stages.map(({ step }) => step)
  const reader = readerOf(base, stages)
  readers.set(reader, { base, stages })
  const { preprocessing: _, ...about } = dataset
  return {
    ...about,
    ...(preprocessing && { preprocessing }),
    inputs,
    transforms: [...(base.transforms ?? []), ...steps],
    read: reader,
    describe() {
      const from = this.read === reader ? base.describe?.() : undefined
      return from && { type: 'transformed', base: from, transforms: steps }
    },
    async identity() {
      const from = this.read === reader ? await base.identity?.() : undefined
      return from && checksum([from, JSON.stringify(steps)].map((text) => new TextEncoder().encode(text)))
    },
  }
}

/** A name is enough for a transform whose options all have defaults. */
const asObject = (given: unknown): { readonly type?: unknown; readonly field?: string } =>
  typeof given === 'object' && given !== null ? given : { type: given }

function onlyField({ inputs, name }: Dataset): string {
  const [first, ...others] = Object.keys(inputs)
  if (others.length === 0) return first
  const expected = [first, ...others].map((field) => `field: '${field}'`).join(' or ')
  throw new FoveaError('E_OPTION', { what: 'has several inputs, and a transform is for one', where: name, expected })
}

const isSame = (a: TensorSpec, b: TensorSpec): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape)

function preprocessingAfter(
  row: TransformRow,
  before: Preprocessing,
  options: Settled<OptionTable>,
  isSame: boolean,
): Preprocessing | undefined {
  return row.preprocessing ? row.preprocessing(before, options) : isSame ? before : undefined
}

/** Reads from `base` into arrays of its own where the fields differ, then sample by sample through all stages of a field. */
function readerOf(base: Dataset, stages: readonly Stage[]): Dataset['read'] {
  const fields = [...new Set(stages.map(({ step }) => step.field))]
  const first = base.transforms?.length ?? 0
  const chains = fields.map((field) => {
    const own = stages.flatMap((stage, i) => (stage.step.field === field ? [{ ...stage, place: first + i }] : []))
    return { field, passes: passesOf(own) }
  })
  const raw = new BatchPool({
    inputs: Object.fromEntries(fields.map((field) => [field, base.inputs[field]])),
    targets: {},
  })
  return async (indices, into, reading = atRest) => {
    const scratch = raw.take(indices.length)
    try {
      await base.read(indices, { ...into, inputs: { ...into.inputs, ...scratch.inputs } }, reading)
      for (const { field, passes } of chains) {
        const from = scratch.inputs[field]
        runPasses(passes, { from, into: into.inputs[field], indices }, reading)
      }
    } finally {
      raw.give(scratch, indices.length)
    }
  }
}
