/** What the options of layers mean: PyTorch's convolutions and poolings asked of layers, and dropout element by element. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { bitsAt, split64, stream, uniformFromBits } from '../../src/base/random.ts'
import type { Numbers } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import type { Layer } from '../../src/index.ts'
import { layers, input as tensorInput } from '../../src/index.ts'
import { drawer } from '../../src/nn/draws.ts'
import type { ConvolutionAttrs } from '../../src/ops/convolution.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import type { PoolAttrs } from '../../src/ops/pooling.ts'
import { sum } from '../../src/ops/reduction.ts'
import { failure } from '../support/failure.ts'
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
  const context = { mode, isTrainable: true, draw: drawer(key, () => index) }
  const given = row.forward([input('x', x.shape)], nodes, options, context)
  const y = 'output' in given ? given.output : given
  return { shape: y.shape, data: (await evaluate(engine, { outputs: { y } }, values)).y }
}
const SEED = 7

suite('layers against PyTorch', () => {
  const convolutions = golden<{ name: string; attrs: ConvolutionAttrs }>('convolution')
  const convOf = { 1: layers.conv1d, 2: layers.conv2d, 3: layers.conv3d } as const
  for (const { name, attrs } of convolutions.cases) {
    const { strides, dilation, padding, groups } = attrs
    const rank = strides.length as 1 | 2 | 3
    test(`conv${rank}d: ${name}`, async () => {
      const of = (part: string) => convolutions.tensor(`${name}/${part}`)
      const filters = of('kernel').shape[rank + 1]
      const bias = { shape: [filters], data: ladder(filters, 5) }
      const layer = convOf[rank]({
        filters,
        kernelSize: of('kernel').shape.slice(0, rank),
        strides,
        padding,
        groups,
        dilationRate: dilation,
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

  const depthwiseOf = { 1: layers.depthwiseConv1d, 2: layers.depthwiseConv2d } as const
  for (const { name, attrs } of convolutions.cases) {
    const { strides, dilation, padding, groups } = attrs
    const of = (part: string) => convolutions.tensor(`${name}/${part}`)
    const rank = strides.length as 1 | 2
    const [perGroup, filters] = of('kernel').shape.slice(rank)
    if (rank > 2 || perGroup !== 1) continue // one channel to a group: that of the others too
    test(`depthwiseConv${rank}d: ${name}`, async () => {
      const depthMultiplier = filters / groups
      const size = of('kernel').shape.slice(0, rank)
      const layer = depthwiseOf[rank]({
        kernelSize: size,
        strides,
        dilationRate: dilation,
        padding,
        depthMultiplier,
        useBias: false,
      })
      const kernel = { ...of('kernel'), shape: [...size, groups, depthMultiplier] }
      const { shape, data } = await applied(layer, of('x'), { kernel })
      assert.deepEqual(shape, of('y').shape)
      assertClose(data, of('y').data, 1e-12, name)
    })
  }

  const pools = golden<{ name: string; op: 'maxPool' | 'averagePool'; attrs: PoolAttrs }>('pooling')
  const poolOf = {
    maxPool: { 1: layers.maxPooling1d, 2: layers.maxPooling2d, 3: layers.maxPooling3d },
    averagePool: { 1: layers.averagePooling1d, 2: layers.averagePooling2d, 3: layers.averagePooling3d },
  } as const
  for (const { name, op, attrs } of pools.cases) {
    const { window, strides, padding } = attrs
    const rank = window.length as 1 | 2 | 3
    test(`${op}ing${rank}d: ${name}`, async () => {
      const of = (part: string) => pools.tensor(`${name}/${part}`)
      const isTiled = window.every((n, i) => n === strides[i])
      const layer = poolOf[op][rank]({ poolSize: window, padding, ...(!isTiled && { strides }) })
      const { shape, data } = await applied(layer, of('x'))
      assert.deepEqual(shape, of('y').shape)
      assertClose(data, of('y').data, 1e-12, name)
    })
  }
})

suite('one family for 1 to 3 axes', () => {
  const grid = (...shape: number[]): Given[string] => ({
    shape,
    data: ladder(
      shape.reduce((a, b) => a * b, 1),
      3,
    ),
  })
  /** Every channel's values, sample by sample. */
  const channelsIn = ({ shape, data }: Given[string]): number[][] => {
    const [n, channels] = [shape[0], shape[shape.length - 1]]
    const places = data.length / n / channels
    return Array.from({ length: n * channels }, (_, at) =>
      Array.from(
        { length: places },
        (_, place) => data[(Math.floor(at / channels) * places + place) * channels + (at % channels)],
      ),
    )
  }
  const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const globals: readonly [layer: (options?: { keepDims?: boolean }) => Layer, x: Given[string], max: boolean][] = [
    [layers.globalAveragePooling1d, grid(2, 5, 3), false],
    [layers.globalAveragePooling2d, grid(2, 3, 4, 2), false],
    [layers.globalAveragePooling3d, grid(2, 2, 3, 4, 2), false],
    [layers.globalMaxPooling1d, grid(2, 5, 3), true],
    [layers.globalMaxPooling2d, grid(2, 3, 4, 2), true],
    [layers.globalMaxPooling3d, grid(2, 2, 3, 4, 2), true],
  ]
  for (const [make, x, isMax] of globals)
    test(`${make().type}: one value of every channel`, async () => {
      const wanted = channelsIn(x).map((values) => (isMax ? Math.max(...values) : meanOf(values)))
      const channels = x.shape[x.shape.length - 1]
      const { shape, data } = await applied(make(), x)
      assert.deepEqual(shape, [2, channels])
      assertClose(data, wanted as never, 1e-12, 'values')
      const kept = await applied(make({ keepDims: true }), x)
      assert.deepEqual(kept.shape, [2, ...x.shape.slice(1, -1).map(() => 1), channels])
    })

  // PyTorch's F.pad of 1, 2, ... with the same numbers, its channels moved to the end
  const ones = (...shape: number[]): Given[string] => {
    const length = shape.reduce((a, b) => a * b, 1)
    return { shape, data: Float64Array.from({ length }, (_, i) => i + 1) }
  }
  const padded: readonly [layer: Layer, x: Given[string], shape: number[], data: number[]][] = [
    [layers.zeroPadding1d(), ones(1, 2, 1), [1, 4, 1], [0, 1, 2, 0]],
    [layers.zeroPadding1d({ padding: [[2, 0]] }), ones(1, 2, 1), [1, 4, 1], [0, 0, 1, 2]],
    // biome-ignore format: rows
    [layers.zeroPadding2d({ padding: [0, [1, 2]] }), ones(1, 2, 1, 1), [1, 2, 4, 1], [0, 1, 0, 0, 0, 2, 0, 0]],
    // biome-ignore format: rows
    [layers.zeroPadding3d({ padding: [[1, 0], 0, [0, 1]] }), ones(1, 1, 2, 1, 1), [1, 2, 2, 2, 1], [0, 0, 0, 0, 1, 0, 2, 0]],
  ]
  for (const [layer, x, shape, data] of padded)
    test(`${layer.type}: ${JSON.stringify(layer.options['padding'])}`, async () => {
      const got = await applied(layer, x)
      assert.deepEqual(got.shape, shape)
      assert.deepEqual([...got.data], data)
    })

  test('borders as one number, a number per axis and pairs say the same', async () => {
    const kernel = { ...grid(3, 3, 2, 4), shape: [3, 3, 2, 4] }
    const by = async (padding: number | readonly (number | readonly [number, number])[]) =>
      (
        await applied(layers.conv2d({ filters: 4, kernelSize: 3, padding, useBias: false }), grid(1, 5, 6, 2), {
          kernel,
        })
      ).data
    const wanted = await by([
      [1, 1],
      [1, 1],
    ])
    assert.deepEqual(await by(1), wanted)
    assert.deepEqual(await by([1, 1]), wanted)
  })

  const wrong: readonly [what: string, make: () => unknown, ...words: string[]][] = [
    [
      'a kernel of two sizes for one axis',
      () => layers.conv1d({ filters: 1, kernelSize: [3, 3] }),
      'kernelSize',
      '[length]',
    ],
    ['strides of three for two', () => layers.maxPooling2d({ strides: [1, 1, 1] }), 'strides', '[height, width]'],
    [
      'a border for one axis of two',
      () => layers.conv2d({ filters: 1, kernelSize: 3, padding: [1] }),
      'padding',
      "'same'",
    ],
    ['a border below 0', () => layers.averagePooling3d({ padding: -1 }), 'padding', '[front, back]'],
    [
      'a border of the past over images',
      () => layers.conv2d({ filters: 1, kernelSize: 3, padding: 'causal' }),
      'padding',
      "'causal'",
    ],
    ['a pooling of the past', () => layers.maxPooling1d({ padding: 'causal' as never }), 'padding', "'causal'"],
    ['bilinear sequences', () => layers.upSampling1d({ interpolation: 'bilinear' }), 'interpolation'],
    ['an adaptive pooling to nothing', () => layers.adaptiveMaxPooling2d({ outputSize: [0, 2] }), 'outputSize'],
    ['half a pair', () => layers.zeroPadding1d({ padding: [[1] as never] }), 'padding', '[[before, after]]'],
  ]
  for (const [what, make, ...says] of wrong)
    test(`${what} is refused when the layer is made`, () => {
      assert.throws(make, failure('E_OPTION', ...says))
    })

  test('samples of another rank are refused, in the words of the layer', () => {
    const conv = layers.conv1d({ filters: 1, kernelSize: 2 })
    assert.throws(() => conv(tensorInput([4, 4, 1])), failure('E_SHAPE', 'sequences [length, channels]'))
    assert.throws(() => layers.maxPooling3d()(tensorInput([4, 4, 1])), failure('E_SHAPE', 'volumes [depth, height'))
  })
})

suite('windows that do not fit', () => {
  const images = () => tensorInput([4, 5, 6])

  test('outputPadding that no window reaches', () => {
    const far = layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, outputPadding: 2 })
    assert.throws(() => far(images()), failure('E_OPTION', "'outputPadding'", 'fewer than the stride 2'))
    const near = layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, outputPadding: 1 })
    assert.deepEqual(near(images()).shape, [10, 12, 2])
  })

  test('a border of a transposed convolution that takes all', () => {
    const none = layers.conv2dTranspose({ filters: 2, kernelSize: 1, padding: 2 })
    assert.throws(() => none(images()), failure('E_SHAPE', "'padding' leaves nothing"))
  })

  test('groups of a transposed convolution divide both ends', () => {
    const made = (filters: number, groups: number) => layers.conv2dTranspose({ filters, kernelSize: 2, groups })
    assert.throws(() => made(5, 2)(images()), failure('E_OPTION', "'groups' must divide the filters", '5 filters'))
    assert.throws(() => made(8, 4)(images()), failure('E_OPTION', "'groups' must divide the channels", '6 channels'))
    assert.deepEqual(made(8, 2)(images()).shape, [5, 6, 8])
  })

  test('cropping that leaves nothing', () => {
    const all = layers.cropping2d({ cropping: [[2, 2], 0] })
    assert.throws(() => all(images()), failure('E_SHAPE', "'cropping' leaves nothing", '[4, 5, 6]'))
  })

  test('merging of shapes that do not fit', () => {
    const other = (...shape: number[]) => tensorInput(shape)
    for (const x of [other(6), other(2, 1, 6), other(4, 5, 3)])
      assert.throws(() => layers.multiply()(images(), x), failure('E_SHAPE', 'size 1 along some axes', '[4, 5, 6] and'))
    assert.deepEqual(layers.multiply()(images(), other(1, 1, 6)).shape, [4, 5, 6])
    assert.deepEqual(layers.add()(other(1, 5, 1), other(4, 1, 6), other(1, 1, 6)).shape, [4, 5, 6])
  })
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
      const draw = drawer(input('key', [4], 'int32'), () => 0)
      const context = { mode: 'train', draw, isTrainable: true } as const
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
        ...Object.fromEntries(
          Object.entries(given.updates ?? {}).map(([part, node]) => [`next ${part}`, node as Node]),
        ),
      }
      assert.equal(Object.keys(outputs).length, 4 + Number(options.scale) + Number(options.center))
      const got = await evaluate(engine, { outputs }, values)
      for (const part of Object.keys(outputs)) assertClose(got[part], file.tensor(`${name}/${part}`).data, 1e-11, part)
    })
  }
})

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

test('dense on more axes: the last one is summed, at every place of the others', async () => {
  const wide = { shape: [2, 1, 2, 3], data: ladder(12, 4) }
  const layer = layers.dense({ units: 2, activation: 'relu6' })
  const { shape, data } = await applied(layer, wide, { kernel, bias })
  assert.deepEqual(shape, [2, 1, 2, 2])
  const rows = await applied(layer, { shape: [4, 3], data: wide.data }, { kernel, bias })
  assert.deepEqual([...data], [...rows.data])
  assert.deepEqual(layer.row.weights?.(layer.options, [1, 2, 3], [[1, 2, 3]])['kernel']?.shape, [3, 2])
  assert.throws(() => layers.dense({ units: 1 })(tensorInput([])), failure('E_SHAPE', 'features'))
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
