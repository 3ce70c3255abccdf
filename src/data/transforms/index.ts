/** Transforms by name: what can be done to samples when they are read. */
import { randomCrop } from './random-crop.ts'
import { randomFlip } from './random-flip.ts'
import { rescale } from './rescale.ts'

export const transforms = { randomCrop, randomFlip, rescale } as const
export type TransformName = keyof typeof transforms
