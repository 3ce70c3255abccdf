/** What is measured: networks by name, each with the trainable parameters that it must have. */
import type { Tensor } from '../src/index.ts'
import { input, layers, type Model, model, sequential, zoo } from '../src/index.ts'

const { conv2d, batchNormalization, activation, add, maxPooling2d, globalAveragePooling2d, flatten, dropout, dense } =
  layers

const same = { padding: 'same', activation: 'relu' } as const

/** Two convolutions of 3 x 3 and a pooling, as VGG has them (Simonyan and Zisserman 2015). */
const pair = (filters: number) => [
  conv2d({ filters, kernelSize: 3, ...same }),
  conv2d({ filters, kernelSize: 3, ...same }),
  maxPooling2d(),
]

function vggCifar(): Model {
  const head = [flatten(), dense({ units: 256, activation: 'relu' }), dense({ units: 10 })]
  return sequential({ name: 'vggCifar', inputShape: [32, 32, 3] }, [...pair(32), ...pair(64), ...pair(128), ...head])
}

/** The deep CIFAR-10 network of Keras's examples, all convolutions padded. */
function cifarDeepSame(): Model {
  return sequential({ name: 'cifarDeepSame', inputShape: [32, 32, 3] }, [
    ...[...pair(32), dropout({ rate: 0.25 })],
    ...[...pair(64), dropout({ rate: 0.25 })],
    flatten(),
    ...[dense({ units: 512, activation: 'relu' }), dropout({ rate: 0.5 })],
    dense({ units: 10 }),
  ])
}

/**
 * He et al. 2015 for CIFAR-10, 20 layers. Where the shape changes, the shortcut is a convolution of 1 x 1 with batch
 * normalisation (their option B); convolutions have no bias.
 */
function resnet20(): Model {
  const convolved = (x: Tensor, filters: number, kernelSize: number, strides: number): Tensor =>
    batchNormalization()(conv2d({ filters, kernelSize, strides, padding: 'same', useBias: false })(x))
  const relu = activation({ activation: 'relu' })
  const image = input([32, 32, 3])
  let x = relu(convolved(image, 16, 3, 1))
  for (const filters of [16, 32, 64]) {
    for (const block of [1, 2, 3]) {
      const strides = filters > 16 && block === 1 ? 2 : 1
      const inner = convolved(relu(convolved(x, filters, 3, strides)), filters, 3, 1)
      const shortcut = strides === 1 ? x : convolved(x, filters, 1, strides)
      x = relu(add()(inner, shortcut))
    }
  }
  return model(image, dense({ units: 10 })(globalAveragePooling2d()(x)), { name: 'resnet20' })
}

/** Networks of the zoo as they are, for images of CIFAR-10. */
const cifar = { inputShape: [32, 32, 3], classes: 10 } as const

export interface Workload {
  readonly make: () => Model
  readonly parameters: number
}

export const workloads: Readonly<Record<string, Workload>> = {
  lenet: { make: () => zoo.lenet(), parameters: 1_256_080 },
  mnistCnn: { make: () => zoo.mnistCnn(), parameters: 3_274_634 },
  cifarDeepSame: { make: cifarDeepSame, parameters: 2_168_362 },
  vggCifar: { make: vggCifar, parameters: 814_122 },
  resnet20: { make: resnet20, parameters: 272_474 },
  mobilenetV2: { make: () => zoo.mobilenetV2(cifar), parameters: 2_236_682 },
  resnet18: { make: () => zoo.resnet18(cifar), parameters: 11_181_642 },
  vgg11: { make: () => zoo.vgg11(cifar), parameters: 28_144_010 },
}
