/** Every kind of layer by its word in model files and in code. */
import { activation } from './activation.ts'
import { conv2d } from './convolution.ts'
import { dense } from './dense.ts'
import { add, concatenate } from './merging.ts'
import { averagePooling2d, maxPooling2d } from './pooling.ts'
import { dropout } from './regularization.ts'
import { flatten, reshape } from './reshaping.ts'

export const layers = {
  conv2d,
  maxPooling2d,
  averagePooling2d,
  flatten,
  reshape,
  dense,
  activation,
  dropout,
  concatenate,
  add,
} as const

export type LayerType = keyof typeof layers
