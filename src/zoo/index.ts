/** Known networks by name. */
import type { Model, ModelOptions } from '../model/model.ts'
import { firstConvnet } from './first-convnet.ts'
import { lenet } from './lenet.ts'
import { mnistCnn } from './mnist-cnn.ts'

export const zoo = { lenet, mnistCnn, firstConvnet } as const satisfies Record<
  string,
  (options?: ModelOptions) => Model
>

export type ZooName = keyof typeof zoo

/** Those without layers that classify: to look at, or as the beginning of your own network. */
export const beginnings: readonly ZooName[] = ['firstConvnet']
