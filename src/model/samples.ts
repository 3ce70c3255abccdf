/** What a user may give as samples or as data, checked. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import type { Dataset } from '../data/dataset.ts'
import { isDataset } from '../data/dataset.ts'
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

/** Samples as a dataset for a model with these inputs. */
export function asDataset(
  samples: Samples,
  { name: where, inputs }: { readonly name: string; readonly inputs: Readonly<Record<string, Shape>> },
): Dataset {
  if (isDataset(samples)) return samples
  const names = Object.keys(inputs)
  const named = asPixels(samples) ? { [names[0]]: samples } : { ...(samples as object) }
  const fields = names.map((name) => {
    const data = asPixels((named as Record<string, unknown>)[name])
    if (data) return [name, { shape: inputs[name], data }]
    const hint = 'pictures: model.predictPicture(bytes), or preprocess(...) first; lists: Float32Array.from(list)'
    const expected = `a dataset, a Uint8Array of pixels or a Float32Array${names.length > 1 ? `, by name: ${names.join(', ')}` : ''}`
    throw new FoveaError('E_MISMATCH', { what: 'these are no samples', where, expected, got: show(samples), hint })
  })
  return fromArrays({ name: where, inputs: Object.fromEntries(fields), targets: {} })
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
  if (values instanceof Uint8ClampedArray) return new Uint8Array(values.buffer, values.byteOffset, values.length)
  return dtypeOf(values) ? (values as TypedArray) : undefined
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
