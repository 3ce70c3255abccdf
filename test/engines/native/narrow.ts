/** Convolutions over inputs that are hardly larger than the window, where most of what a library prepares is border. */
import type { Engine } from '../../../src/compile/engine.ts'
import type { Precision } from '../../../src/compile/precision.ts'
import { input } from '../../../src/graph/node.ts'
import type { Shape } from '../../../src/graph/shape.ts'
import { sizeOf } from '../../../src/graph/shape.ts'
import type { ConvolutionAttrs } from '../../../src/ops/convolution.ts'
import { convolution } from '../../../src/ops/convolution.ts'
import { add } from '../../../src/ops/elementwise.ts'
import { gradients } from '../../../src/ops/gradient.ts'
import { assertClose, evaluate, ladder, seedOf, uniform, weighted } from '../../support/tensors.ts'

export interface Narrow {
  readonly x: Shape
  readonly kernel: Shape
  readonly attrs: ConvolutionAttrs
}

const choices = {
  rank: [1, 2, 2, 2, 3],
  images: [1, 2, 33],
  size: [1, 1, 2, 3, 5],
  window: [1, 2, 3, 3, 5],
  stride: [1, 2, 2, 3, 4],
  dilation: [1, 1, 1, 2],
  channels: [1, 3, 8, 16, 17, 32],
  groups: [1, 1, 1, 1, 2, 8],
  padding: ['same', 'same', 'valid', 'border'],
} as const

/** `count` of them by chance, each with windows that fit. */
export function narrow(count: number, seed: number): Narrow[] {
  const draw = uniform(seed)
  for (let i = 0; i < 8; i++) draw() // the first numbers of near seeds are near
  const one = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]
  const rows: Narrow[] = []
  while (rows.length < count) {
    const groups = one(choices.groups)
    const [channels, filters] = [groups * one(choices.channels), groups * one(choices.channels)]
    const axes = Array.from({ length: one(choices.rank) }, () => ({
      size: one(choices.size),
      window: one(choices.window),
      stride: one(choices.stride),
      dilation: one(choices.dilation),
    }))
    const kind = one(choices.padding)
    const border = (reach: number): readonly [number, number] => [
      Math.floor(draw() * reach),
      Math.floor(draw() * reach),
    ]
    const padding = kind === 'border' ? axes.map(({ window }) => border(window)) : kind
    const fits = axes.every(({ size, window, dilation }, i) => {
      const added = typeof padding === 'string' ? 0 : padding[i][0] + padding[i][1]
      return padding === 'same' || (window - 1) * dilation < size + added
    })
    if (!fits || channels * filters > 4096) continue
    rows.push({
      x: [one(choices.images), ...axes.map((a) => a.size), channels],
      kernel: [...axes.map((a) => a.window), channels / groups, filters],
      attrs: { strides: axes.map((a) => a.stride), dilation: axes.map((a) => a.dilation), padding, groups },
    })
  }
  return rows
}

/** The convolution and all of its gradients against the reference engine's. */
export async function checkNarrow(
  { x: shape, kernel: kernelShape, attrs }: Narrow,
  { engine, truth, precision }: { engine: Engine; truth: Engine; precision: Precision },
): Promise<void> {
  const [x, kernel, bias] = [input('x', shape), input('kernel', kernelShape), input('bias', kernelShape.slice(-1))]
  const y = add(convolution(x, kernel, attrs), bias)
  const [dx, dkernel, dbias] = gradients(weighted(y), [x, kernel, bias])
  const values = Object.fromEntries(
    [x, kernel, bias].map((node) => {
      const name = String(node.attrs['name'])
      return [name, ladder(sizeOf(node.shape), seedOf(name), [-1, 1.3])]
    }),
  )
  const goals = { outputs: { y, dx, dkernel, dbias } }
  const wanted = await evaluate(truth, goals, values, { precision })
  const got = await evaluate(engine, goals, values, { precision })
  for (const name of Object.keys(wanted))
    assertClose(got[name], wanted[name], precision === 'float32' ? 1e-5 : 2 ** -8, name)
}
