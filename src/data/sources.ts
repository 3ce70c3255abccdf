/** Datasets by what `describe` says of them: a worker makes the same dataset of its description. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import type { Dataset, Description } from './dataset.ts'
import type { Digits } from './datasets/digits.ts'
import { digitsPart } from './datasets/digits.ts'
import type { ArraysOfSamples } from './in-memory.ts'
import { fromArrays } from './in-memory.ts'
import { subset } from './subset.ts'
import type { Transform } from './transformed.ts'
import { transform } from './transformed.ts'

type Opened = Dataset | Promise<Dataset>

/** A row for every `type` of a description. What crossed to a worker comes from our own `describe`, so it has its options. */
const sources = {
  arrays: ({ type: _, ...about }: Description): Opened => fromArrays(about as unknown as ArraysOfSamples),
  digits: (about: Description): Opened => digitsPart(about as unknown as Digits),
  subset: async ({ base, indices }: Description): Promise<Dataset> =>
    subset(await openSource(base as Description), indices as Uint32Array),
  transformed: async ({ base, transforms }: Description): Promise<Dataset> =>
    transform(await openSource(base as Description), transforms as readonly Transform[]),
} satisfies Record<string, (about: Description) => Opened>

export async function openSource(about: Description): Promise<Dataset> {
  if (Object.hasOwn(sources, about.type)) return sources[about.type as keyof typeof sources](about)
  const expected = Object.keys(sources).join(', ')
  throw new FoveaError('E_DATA', { what: 'no such description of a dataset', expected, got: show(about.type) })
}
