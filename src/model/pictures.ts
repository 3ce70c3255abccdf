/** Pictures that a model is asked about: files, or pixels of any kind, as samples. */
import { decodeImage } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { PictureSource } from '../data/image.ts'
import type { Preprocessing } from '../data/preprocessing.ts'
import { preprocess } from '../data/preprocessing.ts'
import type { TypedArray } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import type { LearnedFrom } from '../saved/model-file.ts'

/** The bytes of a PNG, JPEG, WebP, GIF or AVIF file, a `File` or `Blob` of them, or pixels. */
export type PictureGiven = Uint8Array | ArrayBuffer | Blob | PictureSource

/** One sample; pixels are taken during the call, and so are the bytes of a file. `name` is what errors call it. */
export async function pictureSample(given: PictureGiven, how: Preprocessing, name: string): Promise<TypedArray> {
  const kind = Object.prototype.toString.call(given).slice(8, -1) // of any realm
  if (kind === 'Uint8Array') return preprocess(await decodeImage(given as Uint8Array, name), how)
  if (kind === 'ArrayBuffer') return preprocess(await decodeImage(new Uint8Array(given as ArrayBuffer), name), how)
  if (kind === 'Blob' || kind === 'File') {
    const bytes = await (given as Blob).arrayBuffer()
    return preprocess(await decodeImage(new Uint8Array(bytes), (given as File).name || name), how)
  }
  return preprocess(given as PictureSource, how)
}

/** The error of a model that cannot prepare pictures, with the way out. */
export function noPreprocessing(
  where: string,
  inputs: Readonly<Record<string, Shape>>,
  learnedFrom: LearnedFrom,
): FoveaError {
  const what = 'cannot prepare pictures: it learned from data without preprocessing'
  const [[name, shape], ...others] = Object.entries(inputs)
  const [height, width, channels] = shape
  if (others.length > 0 || shape.length !== 3 || (channels !== 1 && channels !== 3)) {
    const expected = 'one input [height, width, 1 or 3]'
    return new FoveaError('E_MODEL', { what: 'does not take pictures', where, expected, hint: 'use model.predict' })
  }
  const numbers = (learnedFrom[name] ?? 'uint8') === 'uint8' ? '' : ', scale: 1 / 255, offset: 0'
  const hint = `set model.preprocessing = { size: [${height}, ${width}], channels: ${channels}${numbers} }`
  return new FoveaError('E_MODEL', {
    what,
    where,
    hint: numbers ? `${hint}, with the scale and offset of your data` : hint,
  })
}
