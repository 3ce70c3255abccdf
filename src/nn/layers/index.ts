/** Every kind of layer by its word in model files and in code. */
import { activation } from './activation.ts'
import {
  adaptiveAveragePooling1d,
  adaptiveAveragePooling2d,
  adaptiveAveragePooling3d,
  adaptiveMaxPooling1d,
  adaptiveMaxPooling2d,
  adaptiveMaxPooling3d,
} from './adaptive-pooling.ts'
import { batchNormalization } from './batch-normalization.ts'
import { conv1d, conv2d, conv3d } from './convolution.ts'
import { dense } from './dense.ts'
import { depthwiseConv1d, depthwiseConv2d, separableConv1d, separableConv2d } from './depthwise.ts'
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
import {
  cropping1d,
  cropping2d,
  cropping3d,
  flatten,
  reshape,
  zeroPadding1d,
  zeroPadding2d,
  zeroPadding3d,
} from './reshaping.ts'
import { centerCrop, resizing } from './resizing.ts'
import { conv1dTranspose, conv2dTranspose, conv3dTranspose } from './transposed.ts'
import { upSampling1d, upSampling2d, upSampling3d } from './up-sampling.ts'

export const layers = {
  conv1d,
  conv2d,
  conv3d,
  depthwiseConv1d,
  depthwiseConv2d,
  separableConv1d,
  separableConv2d,
  conv1dTranspose,
  conv2dTranspose,
  conv3dTranspose,
  upSampling1d,
  upSampling2d,
  upSampling3d,
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
  adaptiveAveragePooling1d,
  adaptiveAveragePooling2d,
  adaptiveAveragePooling3d,
  adaptiveMaxPooling1d,
  adaptiveMaxPooling2d,
  adaptiveMaxPooling3d,
  zeroPadding1d,
  zeroPadding2d,
  zeroPadding3d,
  cropping1d,
  cropping2d,
  cropping3d,
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
