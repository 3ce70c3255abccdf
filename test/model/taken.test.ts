/** Lists and objects are taken when they are given: what their owner makes of them later does not matter. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  constant,
  defineLayer,
  fromArrays,
  input,
  layers,
  modelFrom,
  type Node,
  ops,
  placeholder,
  sequential,
  variable,
} from '../../src/index.ts'
import { held } from '../support/held.ts'

/** Of a thing that was given to a call: how it is changed afterwards, and what must not change with it. */
const rows: readonly (readonly [says: string, make: () => { change: () => unknown; look: () => unknown }])[] = [
  [
    'sizes of a layer',
    () => {
      const kernelSize = [3, 3]
      const layer = layers.conv2d({ filters: 1, kernelSize })
      return { change: () => kernelSize.fill(1), look: () => layer(input([5, 5, 1])).shape }
    },
  ],
  [
    'pairs of a layer',
    () => {
      const padding: [[number, number], [number, number]] = [
        [1, 1],
        [0, 0],
      ]
      const layer = layers.zeroPadding2d({ padding })
      return { change: () => padding[0].fill(9), look: () => layer(input([5, 5, 1])).shape }
    },
  ],
  [
    'an initializer',
    () => {
      const kernelInitializer = { type: 'constant' as const, value: 1 }
      const layer = layers.dense({ units: 1, useBias: false, kernelInitializer })
      return { change: () => Object.assign(kernelInitializer, { value: 7 }), look: () => layer.options }
    },
  ],
  [
    'an option of a layer of your own',
    () => {
      const v = { deep: [1, { deeper: [2] }] }
      const layer = held({ v })
      return { change: () => v.deep.push(3), look: () => layer.options }
    },
  ],
  [
    'the row of a layer of your own',
    () => {
      const row = { className: 'A', says: 'a', options: {}, forward: ([x]: readonly Node[]) => x }
      const make = defineLayer('own', row)
      const model = sequential({ inputShape: [2] }, [make()])
      const change = () => {
        row.className = 'B'
        Object.assign(row.options, { more: 1 })
      }
      return { change, look: () => [model.summary(), make().row.className, Object.keys(make().row.options)] }
    },
  ],
  [
    'the shape of an input',
    () => {
      const shape = [3]
      const tensor = input(shape)
      return { change: () => shape.fill(9), look: () => tensor.shape }
    },
  ],
  ...[placeholder, variable].map((make) => {
    const graph = () => {
      const shape = [2]
      const node = make('x', shape)
      return { change: () => shape.fill(9), look: () => [node.shape, node.attrs['shape']] }
    }
    return [`the shape of a ${make === placeholder ? 'placeholder' : 'variable'}`, graph] as const
  }),
  [
    'the shape of a constant',
    () => {
      const shape = [2]
      const node = constant(Float32Array.of(1, 2), shape)
      return { change: () => shape.fill(9), look: () => [node.shape, node.attrs['shape']] }
    },
  ],
  [
    'borders of an op',
    () => {
      const padding: [number, number][] = [[1, 1]]
      const node = ops.pad(placeholder('x', [2]), { padding })
      return { change: () => padding[0].fill(9), look: () => [node.shape, node.attrs['padding']] }
    },
  ],
  [
    'the shape of samples',
    () => {
      const shape = [2]
      const data = fromArrays({ name: 'x', inputs: { x: { shape, data: new Float32Array(4) } }, targets: {} })
      return { change: () => shape.fill(4), look: () => [data.inputs['x'].shape, data.describe?.()] }
    },
  ],
  [
    'a list of layers',
    () => {
      const stack = [layers.dense({ units: 2 })]
      const model = sequential(stack)
      return { change: () => stack.push(layers.dense({ units: 3 })), look: () => model.summary() }
    },
  ],
]

suite('given, then changed', () => {
  for (const [says, make] of rows)
    test(says, () => {
      const { change, look } = make()
      const before = structuredClone(look())
      change()
      assert.deepEqual(look(), before)
    })
})

test('options of a layer cannot be changed, so that its file fits its weights', async () => {
  const net = sequential({ inputShape: [5, 5, 1], engine: 'reference' }, [
    layers.conv2d({ filters: 1, kernelSize: [3, 3], kernelInitializer: { type: 'constant', value: 1 }, name: 'a' }),
  ])
  const { options: held } = net.layers['a']
  const { kernelSize, kernelInitializer } = held as { kernelSize: number[]; kernelInitializer: object }
  for (const change of [
    () => Object.assign(held, { filters: 5 }),
    () => kernelSize.fill(1),
    () => Object.assign(kernelInitializer, { value: 7 }),
  ])
    assert.throws(change, TypeError)
  assert.deepEqual(modelFrom(await net.toBytes()).layers['a'].options, held)
})

test('what is no data stays what it is: a typed array, a function, a circle', () => {
  const circle: unknown[] = []
  circle.push(circle)
  for (const v of [Float32Array.of(1), { f: () => 1 }, [new Map()], circle, placeholder('x', [1])])
    assert.equal(held({ v }).options['v'], v)
})
