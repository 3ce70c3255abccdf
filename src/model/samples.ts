/** What a user may give as samples or as data, checked. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { arrayKind } from '../base/realm.ts'
import type { Dataset, Parts } from '../data/dataset.ts'
import { fromArrays } from '../data/in-memory.ts'
import type { TypedArray } from '../graph/dtype.ts'
import { dtypeOf } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import type { Network } from '../network/network.ts'
import type { Objective } from '../network/objective.ts'
import { classesOf } from '../nn/heads.ts'
import { lossRow } from '../nn/losses.ts'

/** Samples as a user may give them: a dataset, the array of the only input, or an array per input by name. */
export type Samples = Dataset | TypedArray | Readonly<Record<string, TypedArray>>

/** A dataset over arrays of its own, which hold its samples one after the other. */
export interface Taken extends Dataset {
  readonly taken: Readonly<Record<string, TypedArray>>
}

/** Samples as a dataset for a model with these inputs. Arrays are copied: their owner may fill them again at once. */
export function asDataset(
  samples: Samples,
  { name: where, inputs }: { readonly name: string; readonly inputs: Readonly<Record<string, Shape>> },
): Dataset | Taken {
  if (isDataset(samples)) return samples
  const names = Object.keys(inputs)
  const named = asPixels(samples) ? { [names[0]]: samples } : { ...(samples as object) }
  const fields = names.map((name) => {
    const data = asPixels((named as Record<string, unknown>)[name])
    if (data) return [name, data.slice()] as const
    const hint = 'pictures: model.predictPicture(bytes), or preprocess(...) first; lists: Float32Array.from(list)'
    const expected = `a dataset, a Uint8Array of pixels or a Float32Array${names.length > 1 ? `, by name: ${names.join(', ')}` : ''}`
    throw new FoveaError('E_MISMATCH', { what: 'these are no samples', where, expected, got: show(samples), hint })
  })
  const taken = Object.fromEntries(fields)
  const described = fields.map(([name, data]) => [name, { shape: inputs[name], data }])
  return { ...fromArrays({ name: where, inputs: Object.fromEntries(described), targets: {} }), taken }
}

/** Values for a run, taken as they are now: an array for the only input, or arrays by name. */
export function valuesByName(values: unknown, inputs: readonly string[], where: string): Record<string, TypedArray> {
  const alone = asPixels(values)
  const named = alone ? { [inputs[0]]: alone } : { ...(values as object) }
  return Object.fromEntries(
    Object.entries(named).map(([name, one]) => {
      const array = asPixels(one)
      if (array) return [name, array.slice()]
      const expected = 'a Float32Array, Int32Array or Uint8Array by name of an input or placeholder'
      throw new FoveaError('E_MISMATCH', { what: `'${name}' has no values`, where, expected, got: show(one) })
    }),
  )
}

/** Typed arrays that a program takes; those of a canvas are bytes as well. */
function asPixels(values: unknown): TypedArray | undefined {
  if (arrayKind(values) !== 'Uint8ClampedArray') return dtypeOf(values) ? (values as TypedArray) : undefined
  const { buffer, byteOffset, length } = values as Uint8ClampedArray
  return new Uint8Array(buffer, byteOffset, length)
}

const isDataset = (samples: unknown): samples is Dataset => typeof (samples as Dataset | undefined)?.read === 'function'

export function checkDataset(data: unknown, where: string): asserts data is Dataset {
  const { length, inputs, targets } = (data ?? {}) as Partial<Dataset>
  const isWhole = Number.isSafeInteger(length) && typeof inputs === 'object' && typeof targets === 'object'
  if (isDataset(data) && isWhole && data.length > 0) return
  const hint = isDataset((data as Partial<Parts> | undefined)?.train)
    ? 'did you mean its part .train or .test?'
    : undefined
  const got = isDataset(data) ? `length ${length}, inputs ${typeof inputs}, targets ${typeof targets}` : show(data)
  const expected = 'samples by number: { name, length >= 1, inputs, targets, read }, as fromArrays makes them'
  throw new FoveaError('E_MISMATCH', { what: 'wants a dataset', where, expected, got, ...(hint && { hint }) })
}

/** Names for more or fewer classes than a network tells apart belong to other data. */
export function checkClassNames({ classNames, name }: Dataset, network: Network, { terms }: Objective): void {
  if (!classNames || terms.length !== 1) return
  const [{ loss, output }] = terms
  const classes = classesOf(lossRow(loss).head, network.calls[network.outputs[output]].shape)
  if (classNames.length === classes) return
  throw new FoveaError('E_MISMATCH', {
    what: 'the network has another number of outputs than the data has classes',
    where: name,
    expected: `${classNames.length} (${classNames.slice(0, 3).join(', ')}${classNames.length > 3 ? ', ...' : ''})`,
    got: `${classes}`,
  })
}
