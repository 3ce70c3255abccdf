/** Every kind of layer by its word in model files and in code. */
import { activation, celu, elu, hardTanh, leakyRelu, prelu, relu, softmax, softsign } from './activation.ts'
import { batchNormalization } from './batch-normalization.ts'
import { conv1d, conv2d, conv3d, depthwiseConv1d, depthwiseConv2d } from './convolution.ts'
import { dense } from './dense.ts'
import { identity, lambda } from './functions.ts'
import { add, average, concatenate, maximum, multiply, subtract } from './merging.ts'
import {
  groupNormalization,
  layerNormalization,
  localResponseNormalization,
  unitNormalization,
} from './normalization.ts'
import { permute } from './permute.ts'
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
import {
  alphaDropout,
  dropout,
  gaussianDropout,
  gaussianNoise,
  spatialDropout1d,
  spatialDropout2d,
  spatialDropout3d,
} from './regularization.ts'
import { normalization, rescaling } from './rescaling.ts'
import { flatten, reshape, zeroPadding1d, zeroPadding2d, zeroPadding3d } from './reshaping.ts'
import { centerCrop, resizing } from './resizing.ts'
import { masking, repeatVector, timeDistributed } from './sequences.ts'

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
  relu,
  leakyRelu,
  prelu,
  elu,
  celu,
  softmax,
  softsign,
  hardTanh,
  permute,
  repeatVector,
  timeDistributed,
  masking,
  identity,
  lambda,
  dropout,
  spatialDropout1d,
  spatialDropout2d,
  spatialDropout3d,
  alphaDropout,
  gaussianNoise,
  gaussianDropout,
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
