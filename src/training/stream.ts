/** Batches as they come: from a generator, a camera, a socket. Their number is unknown, and none can be read again. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import type { Batch, Dataset, Fields } from '../data/dataset.ts'
import { wantDataset } from '../data/dataset.ts'
import type { TypedArray } from '../graph/dtype.ts'
import { dtypeOf } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText, sizeOf } from '../graph/shape.ts'
import type { Network } from '../network/network.ts'
import type { BatchSource, TrainingBatch } from './batches.ts'
import { checkSampleWeight } from './sample-weights.ts'
import type { Described } from './task.ts'

/** The array of the only field, or an array per field by name of the model's inputs or outputs. */
export type Arrays = TypedArray | Readonly<Record<string, TypedArray>>

/** A batch as Keras's generators yield it, inputs and targets with an optional weight per sample, or the same by name. */
export type GivenBatch =
  | readonly [inputs: Arrays, targets: Arrays, sampleWeight?: ArrayLike<number>]
  | { readonly inputs: Arrays; readonly targets: Arrays; readonly sampleWeight?: ArrayLike<number> }

export type Batches = AsyncIterable<GivenBatch> | Iterable<GivenBatch>

/** Is it something that gives one batch after another? */
export const isBatches = (value: unknown): value is Batches =>
  typeof value === 'object' &&
  value !== null &&
  !ArrayBuffer.isView(value) &&
  !('read' in value) &&
  (Symbol.asyncIterator in value || Symbol.iterator in value)

/** Throws E_MISMATCH unless there is something to train on: arrays of inputs and targets, as Keras takes them, are none. */
export function wantData(data: unknown, options: unknown, where: string): asserts data is Dataset | Batches {
  if (isBatches(data) && !Array.isArray(options) && !ArrayBuffer.isView(options)) return
  wantDataset(data, where)
}

/** Options of `fit` that need data which can be read by number, or again. */
const ofDatasets = [
  'batchSize',
  'shuffle',
  'validationSplit',
  'sampleWeight',
  'overfitBatches',
  'checkpoints',
  'resume',
]

/** Refuses options that are for the other form of data. */
export function checkForm(data: unknown, options: Readonly<Record<string, unknown>>): void {
  const { stepsPerEpoch } = options
  if (!isBatches(data)) {
    if (stepsPerEpoch === undefined) return
    const hint = 'for fewer samples take(data, count); for fewer steps in all: steps'
    throw new FoveaError('E_OPTION', { what: "'stepsPerEpoch' is for an iterable of batches", where: 'fit', hint })
  }
  const stray = ofDatasets.find((name) => options[name] !== undefined && options[name] !== false)
  if (stray !== undefined) {
    const what = `'${stray}' needs a dataset: batches of an iterable come once, in their own order`
    throw new FoveaError('E_OPTION', { what, where: 'fit', hint: 'leave it out, or make a dataset: fromArrays(...)' })
  }
  if (stepsPerEpoch !== undefined) return
  const hint = 'an iterable does not say how many batches it has: give the number that makes an epoch'
  throw new FoveaError('E_OPTION', { what: "'stepsPerEpoch' is missing", where: 'fit', hint })
}

const NAME = 'batches'

/** Takes the first batch, which tells what all of them are made of; each is copied as it comes. */
export async function openStream(
  batches: Batches,
  network: Network,
  { stepsPerEpoch, signal }: { readonly stepsPerEpoch: number; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly data: Described; readonly source: BatchSource; readonly close: () => Promise<void> }> {
  const iterator = iteratorOf(batches)
  let isWaiting = false
  let count = 0
  const next = async (): Promise<Taken | undefined> => {
    isWaiting = true
    const result = await orAborted(Promise.resolve(iterator.next()), signal)
    if (!result) return undefined
    isWaiting = false
    return result.done ? undefined : taken(result.value, network, `batch ${++count}`)
  }
  const close = async (): Promise<void> => {
    const closed = Promise.resolve(iterator.return?.())
    if (isWaiting)
      closed.catch(() => {}) // a generator that never yields again would never return either
    else await closed
  }
  const first = await next().catch(async (error) => {
    await close()
    throw error
  })
  if (!first) {
    await close()
    const what = signal?.aborted ? 'training was aborted before its first batch' : 'the iterable gave no batch'
    throw new FoveaError('E_DATA', { what, where: NAME })
  }
  let waiting: Taken | undefined = first
  const read = async (): Promise<TrainingBatch | undefined> => {
    const batch = waiting ?? (await next())
    waiting = undefined
    if (!batch) return undefined
    const { arrays, fields, samples, where, sampleWeight } = batch
    checkAlike(fields, first.fields, where)
    const indices = Uint32Array.from({ length: samples }, (_, i) => i)
    return { arrays, indices, name: where, sampleWeight, again: async () => arrays }
  }
  const source: BatchSource = {
    data: undefined,
    batches: stepsPerEpoch,
    batchSize: first.samples,
    samples: undefined,
    epoch: () => ({ read, sizeOf: () => first.samples, close: async () => {} }),
    close: async () => {}, // `fit` closes the iterable, since it has opened it
  }
  return { data: { name: NAME, ...first.fields }, source, close }
}

type Iterating = AsyncIterator<GivenBatch> | Iterator<GivenBatch>

/** What gives the batches; throws E_DATA where it gives none. */
function iteratorOf(batches: Batches): Iterating {
  const given = batches as unknown as Readonly<Record<symbol, unknown>>
  const make = given[Symbol.asyncIterator] ?? given[Symbol.iterator]
  const iterator: unknown = typeof make === 'function' ? make.call(batches) : make
  if (typeof make === 'function' && typeof (iterator as Partial<Iterating> | null | undefined)?.next === 'function')
    return iterator as Iterating
  const expected = 'an iterator with next(), as generators give one'
  throw new FoveaError('E_DATA', { what: 'the iterable gives no iterator', where: NAME, expected, got: show(iterator) })
}

/** What a promise gives, or undefined once the signal says no more. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (!signal) return promise
  promise.catch(() => {}) // it may be that no one waits for it any more
  let stop = (): void => {}
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

interface Taken extends Omit<TrainingBatch, 'indices' | 'again' | 'name'> {
  readonly fields: Pick<Described, 'inputs' | 'targets'>
  readonly samples: number
  readonly where: string
}

/** A batch checked and copied. */
function taken(given: GivenBatch, network: Network, where: string): Taken {
  const isList = Array.isArray(given)
  const [inputs, targets, sampleWeight] = isList
    ? given
    : [given?.['inputs' as never], given?.['targets' as never], given?.['sampleWeight' as never]]
  if (!inputs || !targets) {
    const expected = '[inputs, targets] or { inputs, targets }, each a typed array, or typed arrays by name'
    throw new FoveaError('E_DATA', { what: 'is not a batch', where, expected, got: show(given) })
  }
  const fed = byName(inputs, Object.keys(network.inputs), `${where}: inputs`)
  const wanted = byName(targets, Object.keys(network.outputs), `${where}: targets`)
  const [[name, values]] = Object.entries(fed)
  const samples = values.length / sizeOf(network.inputs[name])
  const inputShape = (name: string, size: number) => {
    const shape = network.inputs[name]
    return size === sizeOf(shape) ? shape : undefined
  }
  const targetShape = (name: string, size: number) => {
    const { shape } = network.calls[network.outputs[name]]
    if (size === 1) return []
    return size === sizeOf(shape) ? shape : [size]
  }
  const fields = {
    inputs: specsOf(fed, samples, inputShape, where),
    targets: specsOf(wanted, samples, targetShape, where),
  }
  const weights = sampleWeight === undefined ? undefined : checkSampleWeight(sampleWeight)
  if (sampleWeight !== undefined && weights?.length !== samples) {
    const [expected, got] = [`${samples} numbers >= 0`, weights ? `${weights.length}` : show(sampleWeight)]
    throw new FoveaError('E_DATA', { what: 'sampleWeight needs one number per sample', where, expected, got })
  }
  return {
    arrays: { inputs: copied(fed), targets: copied(wanted) } satisfies Batch,
    fields,
    samples,
    where,
    sampleWeight: weights,
  }
}

/** Arrays by name; one array is that of the only field. */
function byName(given: Arrays, names: readonly string[], where: string): Record<string, TypedArray> {
  const named = ArrayBuffer.isView(given) ? { [names[0]]: given } : given
  const got = Object.keys(named)
  const stray = got.length !== names.length || got.some((name) => !names.includes(name))
  if (stray) {
    const [expected, received] = [names.join(', '), ArrayBuffer.isView(given) ? 'one array' : got.join(', ')]
    throw new FoveaError('E_DATA', { what: 'needs a typed array for each', where, expected, got: received })
  }
  for (const name of names) {
    if (dtypeOf(named[name])) continue
    const expected = 'a Float32Array, Int32Array or Uint8Array'
    throw new FoveaError('E_DTYPE', {
      what: 'wrong array',
      where: `${where}.${name}`,
      expected,
      got: show(named[name]),
    })
  }
  return Object.fromEntries(names.map((name) => [name, named[name]]))
}

/** Specs of one sample: of an input its shape, of a target that of its output, or [] for one number. */
function specsOf(
  arrays: Readonly<Record<string, TypedArray>>,
  samples: number,
  shapeOf: (name: string, size: number) => Shape | undefined,
  where: string,
): Fields {
  const specs = Object.entries(arrays).map(([name, values]) => {
    const size = values.length / samples
    const shape = Number.isInteger(samples) && samples > 0 && Number.isInteger(size) ? shapeOf(name, size) : undefined
    if (shape) return [name, { shape, dtype: dtypeOf(values) }]
    const got = `${values.length} elements for ${samples} samples`
    throw new FoveaError('E_SHAPE', {
      what: 'not a whole number of samples in every array',
      where: `${where}: ${name}`,
      got,
    })
  })
  return Object.fromEntries(specs)
}

const copied = (arrays: Readonly<Record<string, TypedArray>>): Record<string, TypedArray> =>
  Object.fromEntries(Object.entries(arrays).map(([name, values]) => [name, values.slice()]))

/** Every batch is made of what the first was made of. */
function checkAlike(fields: Taken['fields'], first: Taken['fields'], where: string): void {
  for (const side of ['inputs', 'targets'] as const) {
    for (const [name, { dtype, shape }] of Object.entries(fields[side])) {
      const [expected, got] = [first[side][name], { dtype, shape }].map((x) => `${x.dtype} ${shapeText(x.shape)}`)
      if (expected === got) continue
      throw new FoveaError('E_DATA', {
        what: `${name} is another kind of array than in the first batch`,
        where,
        expected,
        got,
      })
    }
  }
}
