/** Known networks by name. */
import { alexnet } from './alexnet.ts'
import { articleNet } from './article-net.ts'
import { catsVsDogs, convnet } from './chollet.ts'
import { cifarDeep, cifarSimple } from './cifar.ts'
import { resnet20, resnet56, wideResnet } from './cifar-resnet.ts'
import { densenet121 } from './densenet.ts'
import { efficientnetB0 } from './efficientnet.ts'
import { firstConvnet } from './first-convnet.ts'
import { googlenet } from './googlenet.ts'
import { inceptionV3 } from './inception-v3.ts'
import { lenet, lenet5 } from './lenet.ts'
import { mnistCnn } from './mnist-cnn.ts'
import { mobilenetV1, mobilenetV2, mobilenetV3Large, mobilenetV3Small } from './mobilenet.ts'
import { resnet18, resnet34, resnet50 } from './resnet.ts'
import { squeezenet } from './squeezenet.ts'
import { vgg11, vgg16, vgg19 } from './vgg.ts'

export const zoo = {
  lenet,
  mnistCnn,
  firstConvnet,
  convnet,
  catsVsDogs,
  cifarSimple,
  cifarDeep,
  articleNet,
  lenet5,
  alexnet,
  vgg11,
  vgg16,
  vgg19,
  googlenet,
  inceptionV3,
  resnet18,
  resnet34,
  resnet50,
  resnet20,
  resnet56,
  wideResnet,
  mobilenetV1,
  mobilenetV2,
  mobilenetV3Small,
  mobilenetV3Large,
  squeezenet,
  densenet121,
  efficientnetB0,
} as const

export type ZooName = keyof typeof zoo
export const zooNames = Object.keys(zoo) as ZooName[]
