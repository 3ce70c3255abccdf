/** The data of a run: one of the datasets by name, the options of all of them in one table. */
import { FoveaError } from '../base/errors.ts'
import { choice, flagName, type OptionTable } from '../base/options.ts'
import type { Parts } from '../data/dataset.ts'
import { type DatasetName, datasetOptions, datasets } from '../data/datasets/index.ts'

export const datasetNames = Object.keys(datasets) as DatasetName[]

type All<T> = (T extends unknown ? (table: T) => void : never) extends (all: infer A) => void ? A : never
/** An option that several datasets have is one flag, and one row of their tables. */
const ofAll: All<(typeof datasetOptions)[DatasetName]> = Object.assign({}, ...Object.values(datasetOptions))

/** Commands with a seed of their own draw with that one. */
const { seed: drawingSeed, ...others } = ofAll

export { drawingSeed }

/** Which dataset, and the options of all of them: those of another one than the chosen are refused. */
export const dataOptions = {
  data: choice(datasetNames, { says: 'the data set' }),
  ...others,
}

/** Reads the dataset `name`; `options` may hold those of others too. */
export function loadData(name: DatasetName, options: Readonly<Record<string, unknown>>): Promise<Parts> {
  const own = Object.keys(datasetOptions[name]).map((option) => [option, options[option]])
  return datasets[name](Object.fromEntries(own))
}

/** Throws when an option was given that none of the datasets in use has. */
export function refuseForeign(given: Iterable<string>, used: readonly DatasetName[], where: string): void {
  const has = (name: DatasetName, option: string): boolean => Object.hasOwn(datasetOptions[name] as OptionTable, option)
  for (const option of given) {
    const owners = datasetNames.filter((name) => has(name, option))
    if (owners.length === 0 || owners.some((name) => used.includes(name))) continue
    throw new FoveaError('E_OPTION', {
      what: `'--${flagName(option)}' does nothing here: it belongs to --data ${owners.join(' or ')}`,
      where,
    })
  }
}

/** Whether data are not available, so that other data may be used. */
export const isUnavailable = (error: unknown): error is FoveaError =>
  error instanceof FoveaError && (error.kind === 'file' || error.kind === 'io')

/** The innermost reason of a complaint, in a few words. */
export function reasonOf(error: FoveaError): string {
  const { what, got, cause } = error.complaint
  if (cause instanceof FoveaError) return reasonOf(cause)
  return got ? `${what}: ${got}` : what
}
