/**
 * The network of the article, as it is meant: 176,286 parameters; 176,398 with batch normalisation, of which 56 are running
 * statistics. Convolutions have selu too, and the last layer gives logits of what the second dense layer gives.
 */
import { flag, number } from '../base/options.ts'
import type { Layer } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { dropping } from './blocks.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { batchNormalization, conv2d, dense, flatten, maxPooling2d } = layers

export const articleNet = defineNetwork('articleNet', {
  says: 'Two convolutions, overlapping pooling and selu: 176,286 parameters, 176,398 with batch normalisation.',
  options: {
    ...imageOptions([28, 28, 1], 10),
    batchNorm: flag({ says: 'batch normalisation after the convolutions', default: false }),
    dropout: number({
      says: 'share of the values after batch normalisation that a step drops; 0.5 when absent',
      min: 0,
      max: 1,
      ends: 'right-open',
      optional: true,
    }),
  },
  conflict: ({ batchNorm, dropout }) =>
    dropout !== undefined && !batchNorm
      ? { what: "'dropout' is for the values after batch normalisation", hint: 'add batchNorm: true' }
      : undefined,
  build: ({ classes, batchNorm, dropout: rate = 0.5 }): Layer[] => {
    const module = (filters: number): Layer[] => [
      conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'selu', kernelInitializer: 'lecunNormal' }),
      maxPooling2d({ poolSize: 3, strides: 2 }),
      ...(batchNorm ? [batchNormalization({ momentum: 0.9 }), ...dropping(rate)] : []),
    ]
    return [
      ...module(12),
      ...module(16),
      flatten(),
      dense({ units: 256, activation: 'selu', kernelInitializer: 'lecunNormal' }),
      dense({ units: 100, activation: 'selu', kernelInitializer: 'lecunNormal' }),
      dense({ units: classes }),
    ]
  },
})
