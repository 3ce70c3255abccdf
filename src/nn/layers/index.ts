/** Every kind of layer by its word in model files and in code. */
import { activation } from './activation.ts'
import { conv2d, depthwiseConv2d } from './convolution.ts'
import { dense } from './dense.ts'
import { add, average, concatenate, maximum, multiply, subtract } from './merging.ts'
import { batchNormalization } from './normalization.ts'
import { averagePooling2d, globalAveragePooling2d, globalMaxPooling2d, maxPooling2d } from './pooling.ts'
import { dropout } from './regularization.ts'
import { rescaling } from './rescaling.ts'
import { flatten, reshape, zeroPadding2d } from './reshaping.ts'

export const layers = {
  conv2d,
  depthwiseConv2d,
  maxPooling2d,
  averagePooling2d,
  globalAveragePooling2d,
  globalMaxPooling2d,
  zeroPadding2d,
  flatten,
  reshape,
  rescaling,
  dense,
  activation,
  dropout,
  batchNormalization,
  concatenate,
  add,
  subtract,
  multiply,
  average,
  maximum,
} as const

export type LayerType = keyof typeof layers
