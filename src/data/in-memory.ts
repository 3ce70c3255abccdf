/** A dataset over arrays that are there already. */
import { didYouMean, FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isPlain } from '../base/realm.ts'
import { type DType, dtypeOf, type TypedArray } from '../graph/dtype.ts'
import { shapeText, sizeOf, wantShape } from '../graph/shape.ts'
import { settleClassNames } from './class-names.ts'
import type { Batch, Dataset, Fields } from './dataset.ts'
import { atRest, wantBatch } from './dataset.ts'
import type { PreprocessingOptions } from './preprocessing.ts'
import { preprocessingFor } from './preprocessing.ts'

/** All samples of one field, one after the other; `shape` is that of one sample, dtype follows from the array. */
export interface FieldArray {
  readonly shape: readonly number[]
  readonly dtype?: DType
  readonly data: TypedArray
}

export interface ArraysOfSamples {
  readonly name: string
  readonly inputs: Readonly<Record<string, FieldArray>>
  readonly targets: Readonly<Record<string, FieldArray>>
  /** When given, every int32 target is a class: an index into these names. Two classes may have the same name, as in ImageNet. */
  readonly classNames?: readonly string[]
  /** What makes a sample of a picture; for float32 samples it says by `scale` and `offset` how bytes become numbers. */
  readonly preprocessing?: PreprocessingOptions
  readonly source?: string
}

interface Field extends Required<FieldArray> {
  /** Elements of one sample. */
  readonly size: number
}
type FieldsByName = Readonly<Record<string, Field>>

/** Checks the arrays once and reads from them without copying them first. */
export function fromArrays(arrays: ArraysOfSamples): Dataset {
  const { name, inputs, targets, classNames: given, preprocessing, ...about } = (arrays ?? {}) as ArraysOfSamples
  if (typeof name !== 'string' || !isPlain(inputs) || !isPlain(targets)) {
    const expected = '{ name, inputs: { image: { shape, data } }, targets: { label: { shape: [], data } } }'
    const where = typeof name === 'string' ? name : 'fromArrays'
    throw new FoveaError('E_DATA', { what: 'needs a name, inputs and targets', where, expected, got: show(arrays) })
  }
  const astray = Object.keys(arrays).find((one) => !parts.includes(one))
  if (astray !== undefined) {
    const hint = didYouMean(astray, parts) ?? `there are ${parts.join(', ')}`
    throw new FoveaError('E_DATA', { what: `there is no '${astray}' of a dataset of arrays`, where: name, hint })
  }
  const fields = { inputs: checked(inputs, `${name}: inputs`), targets: checked(targets, `${name}: targets`) }
  const all = [...Object.entries(fields.inputs), ...Object.entries(fields.targets)]
  if (all.length === 0) throw new FoveaError('E_DATA', { what: 'no fields', where: name })
  const lengths = all.map(([, { data, size }]) => data.length / size)
  const length = lengths[0]
  if (lengths.some((other) => other !== length)) {
    const got = all.map(([field], i) => `${field} ${lengths[i]}`).join(', ')
    throw new FoveaError('E_DATA', { what: 'fields have different numbers of samples', where: name, got })
  }
  const classNames = given === undefined ? undefined : settleClassNames(given, name)
  if (classNames) {
    for (const [target, field] of Object.entries(fields.targets)) checkLabels(field, classNames, `${name}: ${target}`)
  }
  const specs = { inputs: specsOf(fields.inputs), targets: specsOf(fields.targets) }
  const read: Dataset['read'] = async (indices, into, reading = atRest) => {
    reading?.signal?.throwIfAborted()
    checkIndices(indices, length, name)
    wantBatch(into, { name, ...specs }, indices.length)
    for (const side of ['inputs', 'targets'] as const) copySamples(fields[side], indices, into[side])
  }
  return {
    ...about,
    name,
    length,
    ...specs,
    ...(classNames && { classNames }),
    ...(preprocessing && { preprocessing: preprocessingFor(preprocessing, fields.inputs, name) }),
    read,
    describe() {
      return this.read === read ? { type: 'arrays', name, inputs: fields.inputs, targets: fields.targets } : undefined
    },
  }
}

const parts = ['name', 'inputs', 'targets', 'classNames', 'preprocessing', 'source']

function checked(arrays: ArraysOfSamples['inputs'], where: string): FieldsByName {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, field]) => {
      const { shape, data, dtype } = (field ?? {}) as FieldArray
      wantShape(shape, `${where}.${name}`)
      const own = dtypeOf(data)
      if (!own || (dtype && dtype !== own)) {
        const expected = dtype ?? 'float32, int32 or uint8'
        throw new FoveaError('E_DTYPE', {
          what: 'wrong array',
          where: `${where}.${name}`,
          expected,
          got: show(data),
        })
      }
      const size = sizeOf(shape)
      if (!(size > 0 && data.length > 0 && data.length % size === 0)) {
        const got = `${data.length} elements`
        throw new FoveaError('E_SHAPE', {
          what: `not a whole number of samples ${shapeText(shape)}`,
          where: `${where}.${name}`,
          got,
        })
      }
      return [name, { shape: Object.freeze([...shape]), dtype: own, data, size }]
    }),
  )
}

const specsOf = (fields: FieldsByName): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, { shape, dtype }]) => [name, { shape, dtype }]))

function checkLabels({ dtype, data, size }: Field, classNames: readonly string[], where: string): void {
  if (dtype !== 'int32') return
  const wrong = data.findIndex((label) => label < 0 || label >= classNames.length)
  if (wrong < 0) return
  throw new FoveaError('E_LABEL', {
    what: 'a label out of range',
    where: `${where} of sample ${Math.floor(wrong / size)}`,
    expected: `0 to ${classNames.length - 1}`,
    got: `${data[wrong]}`,
  })
}

/** Throws unless every index is one of a dataset's samples. */
export function checkIndices(indices: ArrayLike<number>, length: number, name: string): void {
  const isList = Array.isArray(indices) || ArrayBuffer.isView(indices)
  if (!isList) {
    const expected = 'a list of the numbers of samples'
    throw new FoveaError('E_DATA', { what: 'no indices', where: name, expected, got: show(indices) })
  }
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]
    if (Number.isInteger(index) && index >= 0 && index < length) continue
    throw new FoveaError('E_DATA', {
      what: 'no such sample',
      where: name,
      expected: `0 to ${length - 1}`,
      got: show(index),
    })
  }
}

function copySamples(fields: FieldsByName, indices: ArrayLike<number>, into: Batch['inputs']): void {
  for (const [name, { data, size }] of Object.entries(fields)) {
    for (let i = 0; i < indices.length; ) {
      const count = runAt(indices, i)
      into[name].set(data.subarray(indices[i] * size, (indices[i] + count) * size), i * size)
      i += count
    }
  }
}

/** How many indices from place `at` on follow each other: those samples are copied at once. */
function runAt(indices: ArrayLike<number>, at: number): number {
  let end = at + 1
  while (end < indices.length && indices[end] === indices[end - 1] + 1) end++
  return end - at
}
