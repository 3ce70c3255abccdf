/** What the options of layers mean: PyTorch's convolutions and poolings asked of layers, and dropout element by element. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { bitsAt, split64, stream, uniformFromBits } from '../../src/base/random.ts'
import type { Numbers } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import type { Layer } from '../../src/index.ts'
import { layers } from '../../src/index.ts'
import type { ConvolutionAttrs } from '../../src/ops/convolution.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import type { PoolAttrs } from '../../src/ops/pooling.ts'
import { sum } from '../../src/ops/reduction.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate, ladder } from '../support/tensors.ts'

const engine = referenceEngine()
after(() => engine.close())

type Given = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Numbers }>>

/** What a layer makes of x with these weights. */
async function applied(
  { row, options }: Layer,
  x: Given[string],
  weights: Given = {},
  { mode = 'infer', step = 0, index = 0 }: { mode?: 'train' | 'infer'; step?: number; index?: number } = {},
): Promise<{ shape: readonly number[]; data: Numbers }> {
  const key = input('key', [4], 'int32')
  const nodes: Record<string, Node> = {}
  const values: Record<string, Numbers> = { x: x.data, key: Int32Array.from([...split64(SEED), step, 0]) }
  for (const [name, { shape, data }] of Object.entries(weights)) {
    nodes[name] = input(name, shape)
    values[name] = data
  }
  const given = row.forward([input('x', x.shape)], nodes, options, { mode, key, index, isTrainable: true })
  const y = 'output' in given ? given.output : given
  return { shape: y.shape, data: (await evaluate(engine, { outputs: { y } }, values)).y }
}
const SEED = 7

suite('layers against PyTorch', () => {
  const convolutions = golden<{ name: string; attrs: ConvolutionAttrs }>('convolution')
  for (const { name, attrs } of convolutions.cases) {
    const { strides, dilation, padding, groups } = attrs
    if (strides.length !== 2 || typeof padding !== 'string') continue
    test(`conv2d: ${name}`, async () => {
      const of = (part: string) => convolutions.tensor(`${name}/${part}`)
      const filters = of('kernel').shape[3]
      const [high, wide] = of('kernel').shape
      const bias = { shape: [filters], data: ladder(filters, 5) }
      const given = {
        filters,
        kernelSize: [high, wide],
        strides: pair(strides),
        padding: padding as 'same',
        groups,
      } as const
      const layer = layers.conv2d({
        ...given,
        kernelSize: [high, wide],
        dilationRate: pair(dilation),
        activation: 'relu',
      })
      const { shape, data } = await applied(layer, of('x'), { kernel: of('kernel'), bias })
      assert.deepEqual(shape, of('y').shape)
      assertClose(
        data,
        Array.from(of('y').data, (y, i) => Math.max(0, y + bias.data[i % filters])) as never,
        1e-12,
        name,
      )
    })
  }

  for (const { name, attrs } of convolutions.cases) {
    const { strides, dilation, padding, groups } = attrs
    const of = (part: string) => convolutions.tensor(`${name}/${part}`)
    const [high, wide, perGroup, filters] = of('kernel').shape
    if (strides.length !== 2 || perGroup !== 1 || groups === 1 || typeof padding !== 'string') continue
    test(`depthwiseConv2d: ${name}`, async () => {
      const depthMultiplier = filters / groups
      const layer = layers.depthwiseConv2d({
        kernelSize: [high, wide],
        strides: pair(strides),
        dilationRate: pair(dilation),
        padding: padding as 'same',
        depthMultiplier,
        useBias: false,
      })
      const kernel = { ...of('kernel'), shape: [high, wide, groups, depthMultiplier] }
      const { shape, data } = await applied(layer, of('x'), { kernel })
      assert.deepEqual(shape, of('y').shape)
      assertClose(data, of('y').data, 1e-12, name)
    })
  }

  const pools = golden<{ name: string; op: 'maxPool' | 'averagePool'; attrs: PoolAttrs }>('pooling')
  for (const { name, op, attrs } of pools.cases) {
    const { window, strides, padding } = attrs
    if (window.length !== 2 || typeof padding !== 'string') continue
    test(`${op}ing2d: ${name}`, async () => {
      const of = (part: string) => pools.tensor(`${name}/${part}`)
      const isTiled = window.every((n, i) => n === strides[i])
      const options = {
        poolSize: pair(window),
        padding: padding as 'same',
        ...(!isTiled && { strides: pair(strides) }),
      }
      const layer = op === 'maxPool' ? layers.maxPooling2d(options) : layers.averagePooling2d(options)
      const { shape, data } = await applied(layer, of('x'))
      assert.deepEqual(shape, of('y').shape)
      assertClose(data, of('y').data, 1e-12, name)
    })
  }
})

suite('batchNormalization in training against PyTorch', () => {
  const file = golden<{ name: string; options: { scale: boolean; center: boolean } }>('batch-normalization')
  for (const { name, options } of file.cases) {
    test(`batchNormalization: ${name}`, async () => {
      const { data, shape } = file.tensor(`${name}/x`)
      const values: Record<string, Numbers> = { x: data, dy: file.tensor(`${name}/dy`).data }
      const nodes: Record<string, Node> = {}
      for (const weight of ['gamma', 'beta', 'movingMean', 'movingVariance'].filter((w) => file.has(`${name}/${w}`))) {
        values[weight] = file.tensor(`${name}/${weight}`).data
        nodes[weight] = input(weight, [shape[shape.length - 1]])
      }
      const layer = layers.batchNormalization(options)
      const context = { mode: 'train', key: input('key', [4], 'int32'), index: 0, isTrainable: true } as const
      const x = input('x', shape)
      const given = layer.row.forward([x], nodes, layer.options, context)
      assert.ok('output' in given)
      const wrt = Object.entries({ x, ...nodes }).filter(([part]) => file.has(`${name}/d ${part}`))
      const flows = gradients(
        sum(mul(given.output, input('dy', shape))),
        wrt.map(([, node]) => node),
      )
      const outputs = {
        y: given.output,
        ...Object.fromEntries(wrt.map(([part], i) => [`d ${part}`, flows[i]])),
        ...Object.fromEntries(Object.entries(given.updates).map(([part, node]) => [`next ${part}`, node as Node])),
      }
      assert.equal(Object.keys(outputs).length, 4 + Number(options.scale) + Number(options.center))
      const got = await evaluate(engine, { outputs }, values)
      for (const part of Object.keys(outputs)) assertClose(got[part], file.tensor(`${name}/${part}`).data, 1e-11, part)
    })
  }
})

const pair = ([a, b]: readonly number[]): [number, number] => [a, b]

const x = { shape: [2, 3], data: Float64Array.of(1, 2, 3, -4, 5, 6) }
const kernel = { shape: [3, 2], data: Float64Array.of(1, -1, 2, 0.5, -1, 1) }
const bias = { shape: [2], data: Float64Array.of(1, 2) }

test('dense: the bias is added before the activation, and not at all without useBias', async () => {
  const rows: readonly [layer: Layer, wanted: number[]][] = [
    [layers.dense({ units: 2 }), [3, 5, 1, 14.5]],
    [layers.dense({ units: 2, useBias: false }), [2, 3, 0, 12.5]],
    [layers.dense({ units: 2, activation: 'relu6' }), [3, 5, 1, 6]],
  ]
  for (const [layer, wanted] of rows) {
    const weights = layer.options['useBias'] ? { kernel, bias } : { kernel }
    assert.deepEqual(Object.keys(layer.row.weights?.(layer.options, [3], [[3]]) ?? {}), Object.keys(weights))
    assert.deepEqual([...(await applied(layer, x, weights)).data], wanted)
  }
})

suite('dropout', () => {
  const wide = { shape: [4, 50], data: ladder(200, 3) }
  const uniformsOf = (index: number, step: number) =>
    Array.from({ length: 200 }, (_, i) =>
      uniformFromBits(bitsAt({ seed: SEED, stream: stream('dropout', index), step }, i)),
    )

  for (const [rate, index, step] of [
    [0.25, 0, 0],
    [0.8, 3, 0],
    [0.5, 3, 9],
    [0, 1, 0],
  ] as const) {
    // biome-ignore format: rows
    test(`dropout by ${rate} in layer ${index} at step ${step}: what is drawn below the rate is 0, the rest scaled up`, async () => {
      const { data } = await applied(layers.dropout({ rate }), wide, {}, { mode: 'train', index, step })
      const drawn = uniformsOf(index, step)
      const wanted = wide.data.map((value, i) => (drawn[i] < rate ? 0 : value / (1 - rate)))
      assertClose(data, wanted, 1e-6, 'dropout')
      const share = Array.from(data).filter((value) => value === 0).length / 200
      assert.ok(Math.abs(share - rate) <= 5 * Math.sqrt((rate * (1 - rate)) / 200), `${share}`)
    })
  }

  test('dropout does nothing outside training', async () => {
    const { data } = await applied(layers.dropout({ rate: 0.5 }), wide, {}, { mode: 'infer' })
    assert.deepEqual([...data], [...wide.data])
  })
})
