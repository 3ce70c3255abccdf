/** The part of the engine suite that is about ties, NaN, infinities and -0, and about integers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input, variable } from '../../src/graph/node.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { broadcastTo, reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { clip, div, finite, maximum, mul, relu } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { concat, pad, slice, transpose } from '../../src/ops/movement.ts'
import { maxPool, maxPoolTake } from '../../src/ops/pooling.ts'
import { argmax, max, sum } from '../../src/ops/reduction.ts'
import type { Compared } from '../support/compared.ts'
import { evaluate, ladder, weighted } from '../support/tensors.ts'
import { pool, valid } from '../support/windows.ts'

export function specialValuesSuite({ engine, agrees }: Compared): void {
  test('ties: the first maximum of a window takes the gradient, of a row the first place', async () => {
    const [x, g] = [input('x', [2, 6, 6, 5]), input('g', [2, 6, 6, 5])]
    const values = { x: ladder(360, 3).map(Math.floor), g: ladder(360, 4) }
    for (const attrs of [pool, { window: [3, 3], strides: [1, 1], padding: 'same' } as const]) {
      const y = maxPool(x, attrs)
      await agrees({ y, dx: gradients(weighted(y), [x])[0], taken: maxPoolTake(x, y, g, attrs) }, values, 'maxPool')
    }
    await agrees({ place: argmax(x), most: max(x, { axes: [3] }) }, values, 'argmax')
  })

  test('the largest along each axis, with ties and NaN', async () => {
    const shape = [3, 4, 70, 2]
    const x = input('x', shape)
    const values = ladder(sizeOf(shape), 3).map((v) => Math.floor(v * 3))
    for (const axis of [0, 1, 2, 3])
      await agrees({ place: argmax(x, axis), most: max(x, { axes: [axis] }) }, { x: values }, 'argmax')
    await agrees({ most: max(x, { axes: [1, 2] }) }, { x: values }, 'max')
    const columns = input('x', [3, 140])
    const some = ladder(420, 1)
    for (const [i, column] of [1, 65, 139].entries()) some[140 * i + column] = NaN // in the first row, the middle one, the last
    const { most } = await evaluate(engine, { outputs: { most: max(columns, { axes: [0] }) } }, { x: some })
    const nans = [...most].flatMap((v, i) => (Number.isNaN(v) ? [i] : []))
    assert.deepEqual(nans, [1, 65, 139])
  })

  test('integers keep their values through views, moves, outputs and variables', async () => {
    const bytes = input('bytes', [3, 5], 'uint8')
    const big = input('big', [3, 5], 'int32')
    const kept = variable('kept', [3, 5], 'int32')
    const state = new State(engine)
    await state.add('kept', kept, () => Int32Array.from({ length: 15 }, (_, i) => 2 ** 30 + i))
    const moves = (x: Node) => ({
      itself: x,
      flat: reshape(x, { shape: [15] }),
      turned: transpose(x, { permutation: [1, 0] }),
      part: slice(x, { begin: [1, 1], size: [2, 3] }),
      padded: pad(x, { padding: [[1, 0], [0, 2]], value: 7 }), // biome-ignore format: a matrix
      twice: concat([x, x]),
      repeated: broadcastTo(x, { shape: [2, 3, 5] }),
    })
    const outputs = Object.fromEntries(
      Object.entries({ bytes, big, kept }).flatMap(([name, x]) =>
        Object.entries(moves(x)).map(([move, y]) => [`${name} ${move}`, y]),
      ),
    )
    outputs['bytes halved'] = mul(bytes, 0.5)
    const program = compile(state, { outputs, updates: [[kept, big]] })
    const values = {
      bytes: Uint8Array.from({ length: 15 }, (_, i) => 255 - i),
      big: Int32Array.from({ length: 15 }, (_, i) => -(2 ** 31) + 3 + i),
    }
    const got = await program.run(values)
    const first = { ...values, kept: Int32Array.from({ length: 15 }, (_, i) => 2 ** 30 + i) }
    for (const [name, x] of Object.entries(first)) {
      assert.deepEqual(got[`${name} itself`], x)
      assert.deepEqual(got[`${name} flat`], x)
      assert.deepEqual([...got[`${name} turned`]].slice(0, 4), [x[0], x[5], x[10], x[1]])
      assert.deepEqual([...got[`${name} part`]], [x[6], x[7], x[8], x[11], x[12], x[13]])
      assert.deepEqual([...got[`${name} padded`]].slice(0, 14), [7, 7, 7, 7, 7, 7, 7, ...x.slice(0, 5), 7, 7])
      assert.deepEqual([...got[`${name} twice`]].slice(0, 10), [...x.slice(0, 5), ...x.slice(0, 5)])
      assert.deepEqual([...got[`${name} repeated`]], [...x, ...x])
    }
    assert.deepEqual(
      [...got['bytes halved']],
      Array.from(values.bytes, (byte) => byte / 2),
    )
    assert.deepEqual(await state.read('kept'), values.big)
    program.close()
    state.close()
  })

  test('NaN passes through relu, max, maxPool, sums and convolutions; the ends of the line stay what they are', async () => {
    const x = input('x', [1, 2, 4, 1])
    const k = constant(Float32Array.of(1, 1), [1, 2, 1, 1])
    const outputs = {
      relu: relu(x),
      max: max(x, { axes: [2] }),
      pool: maxPool(x, pool),
      convolution: convolution(x, k, valid),
      sum: sum(x, { axes: [2] }),
      finite: finite(x),
      clip: clip(x, -1, 2),
    }
    const values = { x: Float32Array.of(NaN, 1, -2, 3, Infinity, -Infinity, -0, 2) }
    const got = await evaluate(engine, { outputs }, values)
    const plain = Object.fromEntries(Object.entries(got).map(([key, list]) => [key, [...list]]))
    assert.deepEqual(plain.relu, [NaN, 1, 0, 3, Infinity, 0, 0, 2])
    assert.deepEqual(plain.max, [NaN, Infinity])
    assert.deepEqual(plain.pool, [NaN, 3])
    assert.deepEqual(plain.convolution, [NaN, -1, 1, NaN, -Infinity, 2])
    assert.deepEqual(plain.sum, [NaN, NaN])
    assert.deepEqual(plain.finite, [0, 1, 1, 1, 0, 0, 1, 1])
    assert.deepEqual(plain.clip, [NaN, 1, -1, 2, 2, -1, -0, 2])
  })

  test('constants that JSON cannot say stay apart', async () => {
    // two lengths: two loops that differ in the constant alone
    const [x, z] = [input('x', [5]), input('z', [6])]
    const rows: readonly [op: (x: Node, c: number) => Node, first: number, second: number, wanted: number[]][] = [
      [maximum, Infinity, -Infinity, [Infinity, 2]],
      [maximum, NaN, -Infinity, [NaN, 2]],
      [(a, c) => div(1, mul(a, c)), 0, -0, [Infinity, -Infinity]],
      [(a, value) => pad(a, { padding: [[1, 0]], value }), Infinity, -Infinity, [Infinity, -Infinity]],
    ]
    for (const [op, first, second, wanted] of rows) {
      // and one length: one loop that has both
      for (const other of [z, x]) {
        const outputs = { first: op(x, first), second: op(other, second) }
        const values = { x: new Float32Array(5).fill(2), z: new Float32Array(6).fill(2) }
        const got = await evaluate(engine, { outputs }, values)
        assert.deepEqual([got.first[0], got.second[0]], wanted)
      }
    }
  })
}
