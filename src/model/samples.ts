/** What a user may give as samples or as data, checked. */
import { didYouMean, FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { arrayKind, isPlain } from '../base/realm.ts'
import { settleClassNames } from '../data/class-names.ts'
import type { Dataset } from '../data/dataset.ts'
import { isDataset, wantDataset, wayOut } from '../data/dataset.ts'
import { fromArrays } from '../data/in-memory.ts'
import type { DType, TypedArray } from '../graph/dtype.ts'
import { dtypeOf } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText, sizeOf } from '../graph/shape.ts'
import { readsWhole } from '../network/graphs.ts'
import type { Network } from '../network/network.ts'
import type { Objective } from '../network/objective.ts'
import type { Head } from '../nn/heads.ts'
import { classesOf } from '../nn/heads.ts'
import { lossRow } from '../nn/losses.ts'
import type { LearnedFrom } from '../saved/model-file.ts'

/** Samples as a user may give them: a dataset, the array of the only input, or an array per input by name. */
export type Samples = Dataset | TypedArray | Readonly<Record<string, TypedArray>>

/** A dataset over arrays of its own, which hold its samples one after the other. */
export interface Taken extends Dataset {
  readonly taken: Readonly<Record<string, TypedArray>>
}

/** Samples as a dataset for a model with these inputs. Arrays are copied: their owner may fill them again at once. */
export function asDataset(samples: Samples, network: Network, learnedFrom: LearnedFrom): Dataset | Taken {
  const data = isDataset(samples) ? samples : takenFrom(samples, network)
  wantDataset(data, network.name)
  checkNumbers(data, network, learnedFrom)
  return data
}

function takenFrom(samples: Exclude<Samples, Dataset>, { name: where, inputs }: Network): Taken {
  const names = Object.keys(inputs)
  const named = asPixels(samples) ? { [names[0]]: samples } : { ...(samples as object) }
  if (isPlain(samples)) checkNames(Object.keys(named), names, where)
  const fields = names.map((name) => {
    const given = (named as Record<string, unknown>)[name]
    checkRgba(given, inputs[name], where)
    const data = asPixels(given)
    if (data) return [name, data.slice()] as const
    const hint =
      (Array.isArray(samples) ? undefined : wayOut(samples)) ??
      'pictures: model.predictPicture(picture), or preprocess(...) first; lists: Float32Array.from(list)'
    const expected = `a dataset, a Uint8Array of pixels or a Float32Array${names.length > 1 ? `, by name: ${names.join(', ')}` : ''}`
    throw new FoveaError('E_MISMATCH', { what: 'these are not samples', where, expected, got: show(samples), hint })
  })
  const taken = Object.fromEntries(fields)
  const described = fields.map(([name, data]) => [name, { shape: inputs[name], data }])
  return { ...fromArrays({ name: where, inputs: Object.fromEntries(described), targets: {} }), taken }
}

/** Refuses names that are no inputs, and inputs without a name. */
function checkNames(given: readonly string[], inputs: readonly string[], where: string): void {
  const astray = given.find((name) => !inputs.includes(name))
  const missing = inputs.filter((name) => !given.includes(name))
  if (!given.some((name) => inputs.includes(name)) || missing.length === 0) return
  const what = astray === undefined ? `no samples for the input '${missing[0]}'` : `there is no input '${astray}'`
  const hint = astray === undefined ? undefined : didYouMean(astray, missing)
  const facts = { expected: inputs.join(', '), got: given.join(', '), ...(hint && { hint }) }
  throw new FoveaError('E_MISMATCH', { what, where, ...facts })
}

/** Values for a run, taken as they are now: an array for the only input, or arrays by name. */
export function valuesByName(values: unknown, network: Network, learnedFrom: LearnedFrom): Record<string, TypedArray> {
  const { name: where, inputs } = network
  const named = asPixels(values) ? { [Object.keys(inputs)[0]]: values } : { ...(values as object) }
  const taken = Object.fromEntries(
    Object.entries(named).map(([name, one]) => {
      if (Object.hasOwn(inputs, name)) checkRgba(one, inputs[name], where)
      const array = asPixels(one)
      if (array) return [name, array.slice()]
      const expected = 'a Float32Array, Int32Array or Uint8Array by name of an input or placeholder'
      throw new FoveaError('E_MISMATCH', { what: `'${name}' has no values`, where, expected, got: show(one) })
    }),
  )
  const given = Object.keys(inputs).flatMap((name) => {
    const dtype = dtypeOf(taken[name])
    return dtype ? [[name, { dtype }]] : []
  })
  checkNumbers({ name: where, inputs: Object.fromEntries(given) }, network, learnedFrom)
  return taken
}

/** Typed arrays that a program takes; those of a canvas are bytes as well. */
function asPixels(values: unknown): TypedArray | undefined {
  if (arrayKind(values) !== 'Uint8ClampedArray') return dtypeOf(values) ? (values as TypedArray) : undefined
  const { buffer, byteOffset, length } = values as Uint8ClampedArray
  return new Uint8Array(buffer, byteOffset, length)
}

/**
 * Refuses the four channels of a canvas for a model of another number: their bytes would be taken for more samples, or
 * for others.
 */
function checkRgba(values: unknown, shape: Shape, where: string): void {
  const isPicture = shape.length === 3 && shape[2] !== 4
  const isCanvas = arrayKind(values) === 'Uint8ClampedArray'
  const length = dtypeOf(values) ? (values as TypedArray).length : 0
  const [height, width] = shape
  const isOther = isPicture && length % sizeOf(shape) !== 0 && length % (height * width * 4) === 0
  if (!isPicture || !(isCanvas || isOther)) return
  throw new FoveaError('E_SHAPE', {
    what: isCanvas ? 'these are the four channels of a canvas' : 'these look like the four channels of a canvas',
    where,
    expected: `samples ${shapeText(shape)} as a Uint8Array or Float32Array`,
    got: show(values),
    hint: 'model.predictPicture({ width, height, data }) takes RGBA, an ImageData or the canvas itself',
  })
}

/**
 * Refuses bytes for an input that learned from other numbers: they would be divided by 255, whatever was done to those.
 * Bytes that the first layer takes as they are keep their values.
 */
export function checkNumbers(
  { inputs, name }: { readonly name: string; readonly inputs: Readonly<Record<string, { readonly dtype: DType }>> },
  network: Network,
  learnedFrom: LearnedFrom,
): void {
  const [names, fields] = [Object.keys(network.inputs), Object.values(inputs)]
  for (const input of names) {
    const given = names.length === 1 && fields.length === 1 ? fields[0] : inputs[input]
    const known = Object.hasOwn(learnedFrom, input) ? learnedFrom[input] : 'uint8'
    if (known === 'uint8' || given?.dtype !== 'uint8' || readsWhole(network, input)) continue
    throw new FoveaError('E_MISMATCH', {
      what: `the model learned from ${known}, and these are bytes`,
      where: names.length === 1 ? name : `${name}: ${input}`,
      expected: known,
      got: 'uint8',
      hint: 'scale them by the same transform as the data that it learned from; pictures: model.predictPicture(picture)',
    })
  }
}

/** Refuses class names whose number is not the network's number of classes: they belong to other data. */
export function checkClassNames({ classNames, name }: Dataset, network: Network, { terms }: Objective): void {
  if (classNames === undefined) return
  const names = settleClassNames(classNames, name)
  if (terms.length !== 1) return
  const [{ loss, output }] = terms
  checkClassCount(names, network, { [output]: lossRow(loss).head }, name)
}

/**
 * The same for a network with one output. Where its head is not known yet, a single number may tell any classes apart;
 * several are one for each.
 */
export function checkClassCount(
  classNames: readonly string[],
  network: Network,
  heads: Readonly<Record<string, Head>>,
  where: string,
): void {
  const [output, ...others] = Object.keys(network.outputs)
  if (others.length > 0) return
  const { shape } = network.calls[network.outputs[output]]
  if (!Object.hasOwn(heads, output) && sizeOf(shape) === 1) return
  const classes = classesOf(heads[output] ?? 'linear', shape)
  if (classNames.length === classes) return
  throw new FoveaError('E_MISMATCH', {
    what: 'the network has another number of outputs than there are classes',
    where,
    expected: `${classNames.length} (${classNames.slice(0, 3).join(', ')}${classNames.length > 3 ? ', ...' : ''})`,
    got: `${classes}`,
  })
}
