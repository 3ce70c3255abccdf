/** Every kind of layer by its word in model files and in code. */
import { activation } from './activation.ts'
import { batchNormalization } from './batch-normalization.ts'
import { conv1d, conv2d, conv3d, depthwiseConv1d, depthwiseConv2d } from './convolution.ts'
import { dense } from './dense.ts'
import { add, average, concatenate, maximum, multiply, subtract } from './merging.ts'
import {
  groupNormalization,
  layerNormalization,
  localResponseNormalization,
  unitNormalization,
} from './normalization.ts'
import {
  averagePooling1d,
  averagePooling2d,
  averagePooling3d,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalAveragePooling3d,
  globalMaxPooling1d,
  globalMaxPooling2d,
  globalMaxPooling3d,
  maxPooling1d,
  maxPooling2d,
  maxPooling3d,
} from './pooling.ts'
import { dropout } from './regularization.ts'
import { normalization, rescaling } from './rescaling.ts'
import { flatten, reshape, zeroPadding1d, zeroPadding2d, zeroPadding3d } from './reshaping.ts'
import { centerCrop, resizing } from './resizing.ts'

export const layers = {
  conv1d,
  conv2d,
  conv3d,
  depthwiseConv1d,
  depthwiseConv2d,
  maxPooling1d,
  maxPooling2d,
  maxPooling3d,
  averagePooling1d,
  averagePooling2d,
  averagePooling3d,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalAveragePooling3d,
  globalMaxPooling1d,
  globalMaxPooling2d,
  globalMaxPooling3d,
  zeroPadding1d,
  zeroPadding2d,
  zeroPadding3d,
  flatten,
  reshape,
  rescaling,
  normalization,
  resizing,
  centerCrop,
  dense,
  activation,
  dropout,
  batchNormalization,
  layerNormalization,
  groupNormalization,
  unitNormalization,
  localResponseNormalization,
  concatenate,
  add,
  subtract,
  multiply,
  average,
  maximum,
} as const
