/** The part of the engine suite that is about tensors that stay: updates, programs over one state, the order of calls. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import type { Goals } from '../../src/compile/goals.ts'
import { compile } from '../../src/compile/program.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input } from '../../src/graph/node.ts'
import { reshape } from '../../src/ops/broadcasting.ts'
import { add, finite, mul, select, sub, tanh } from '../../src/ops/elementwise.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { slice, transpose } from '../../src/ops/movement.ts'
import { softmax } from '../../src/ops/normalization.ts'
import { argmax, mean, sum } from '../../src/ops/reduction.ts'
import { failure } from '../support/failure.ts'
import { bytesOf, ladder, stateWith, vector } from '../support/tensors.ts'

/** What is computed from a = [1, 2, 3], b = [10, 20, 30]: results by name. */
const updates: readonly {
  title: string
  goals: (a: Node, b: Node) => Partial<Goals>
  wanted: Readonly<Record<string, readonly number[]>>
}[] = [
  {
    title: 'two variables are swapped',
    goals: (a, b) => ({ updates: [[a, b], [b, a]] }), // biome-ignore format: a pair a line is too long
    wanted: { a: [10, 20, 30], b: [1, 2, 3] },
  },
  {
    title: 'an output sees the old value',
    goals: (a) => ({ updates: [[a, mul(a, 2)]], outputs: { old: a, next: add(a, 1) } }),
    wanted: { a: [2, 4, 6], old: [1, 2, 3], next: [2, 3, 4] },
  },
  {
    title: 'an output is the new value',
    goals: (a, b) => {
      const next = add(a, b)
      return { updates: [[a, next]], outputs: { next, old: a } }
    },
    wanted: { a: [11, 22, 33], next: [11, 22, 33], old: [1, 2, 3] },
  },
  {
    title: 'one update reads what another replaces',
    goals: (a, b) => ({ updates: [[a, add(a, b)], [b, sub(a, b)]] }), // biome-ignore format: as above
    wanted: { a: [11, 22, 33], b: [-9, -18, -27] },
  },
  {
    title: 'two variables get the same value',
    goals: (a, b) => {
      const next = mul(a, b)
      return { updates: [[a, next], [b, next]] } // biome-ignore format: as above
    },
    wanted: { a: [10, 40, 90], b: [10, 40, 90] },
  },
  {
    title: 'a kernel reads the variable that it replaces',
    goals: (a) => ({ updates: [[a, transpose(reshape(a, { shape: [3] }), { permutation: [0] })]] }),
    wanted: { a: [1, 2, 3] },
  },
  {
    title: 'a product replaces its own factor',
    goals: (a) => {
      const turn = constant(Float32Array.of(0, 1, 0, 0, 0, 1, 1, 0, 0), [3, 3])
      const row = reshape(a, { shape: [1, 3] })
      return { updates: [[a, reshape(add(matmul(row, turn, {}), row), { shape: [3] })]] }
    },
    wanted: { a: [4, 3, 5] },
  },
  {
    title: 'a sum of the variable moves all its elements',
    goals: (a) => ({ updates: [[a, add(a, sum(a))]] }),
    wanted: { a: [7, 8, 9] },
  },
  {
    title: 'a broadcast of its own part moves the variable',
    goals: (a) => ({ updates: [[a, mul(a, slice(a, { begin: [1], size: [1] }))]] }),
    wanted: { a: [2, 4, 6] },
  },
  {
    title: 'a variable is set from an input and from a constant',
    goals: (a, b) => ({
      updates: [[a, input('x', [3])], [b, constant(Float32Array.of(7, 8, 9))]], // biome-ignore format: as above
      outputs: { x: input('x', [3]) },
    }),
    wanted: { a: [4, 5, 6], b: [7, 8, 9] },
  },
  { title: 'a variable is set to itself', goals: (a) => ({ updates: [[a, a]] }), wanted: { a: [1, 2, 3] } },
]

export function stateSuite(engine: Engine): void {
  suite('state', () => {
    for (const { title, goals, wanted } of updates) {
      for (const optimize of ['on', 'off'] as const) {
        test(`${title}, optimize ${optimize}`, async () => {
          const state = await stateWith(engine, { a: [1, 2, 3], b: [10, 20, 30] })
          const program = compile(state, goals(vector('a', 3), vector('b', 3)), { optimize })
          const got = await program.run({ x: Float32Array.of(4, 5, 6) })
          for (const name of ['a', 'b']) got[name] = await state.read(name)
          for (const [key, values] of Object.entries(wanted)) assert.deepEqual([...got[key]], values, key)
          program.close()
          state.close()
        })
      }
    }

    test('two programs share one state and one arena', async () => {
      const state = await stateWith(engine, { w: [1, 2, 3, 4] })
      const w = vector('w', 4)
      const grown = (rows: number) => {
        const x = input('x', [rows, 4])
        const hidden = tanh(mul(softmax(mul(x, w)), 3))
        return compile(state, { outputs: { y: sum(hidden) }, updates: [[w, add(w, mean(hidden))]] })
      }
      const [small, big] = [grown(2), grown(700)]
      const values = (rows: number) => ({ x: ladder(rows * 4, rows) })
      const trace = async (order: readonly ('small' | 'big')[]) => {
        await state.write('w', Float32Array.of(1, 2, 3, 4))
        const runs = order.map((which) => (which === 'small' ? small.run(values(2)) : big.run(values(700))))
        return [...(await Promise.all(runs)).map(({ y }) => y[0]), ...(await state.read('w'))]
      }
      const first = await trace(['small', 'big', 'small', 'big', 'small'])
      assert.deepEqual(await trace(['small', 'big', 'small', 'big', 'small']), first)
      big.close()
      assert.equal((await trace(['small']))[0], first[0])
      const again = grown(700)
      assert.ok(Number.isFinite((await again.run(values(700))).y[0]))
      for (const program of [small, again]) program.close()
      state.close()
    })

    test('a program goes on when the arena has moved', async () => {
      const state = await stateWith(engine, { w: [1] })
      const doubled = (size: number) => compile(state, { outputs: { y: mul(input('x', [size]), 2) } })
      const small = doubled(8)
      const x = ladder(8, 1)
      const wanted = [...(await small.run({ x })).y]
      await state.add('behind', { shape: [1000], dtype: 'float32' }, () => new Float32Array(1000))
      const big = doubled(50_000)
      await big.run({ x: ladder(50_000, 2) })
      assert.deepEqual([...(await small.run({ x })).y], wanted)
      for (const program of [small, big]) program.close()
      state.close()
    })

    test('runs, reads and writes happen in the order of the calls, though a program is still compiling', async () => {
      const state = await stateWith(engine, { count: [0] })
      const count = vector('count', 1)
      const once = compile(state, { updates: [[count, add(count, 1)]], outputs: { before: count } })
      const reads: Promise<Numbers>[] = []
      const runs = [once.run({})]
      reads.push(state.read('count'))
      const other = compile(state, { updates: [[count, mul(count, 10)]], outputs: { before: count } })
      runs.push(other.run({}), once.run({}))
      reads.push(state.read('count'))
      const written = state.write('count', Float32Array.of(5))
      runs.push(other.run({}))
      reads.push(state.read('count'))
      await written
      const numbers = (await Promise.all(reads)).map(([x]) => x)
      const before = (await Promise.all(runs)).map(({ before: [x] }) => x)
      assert.deepEqual({ numbers, before }, { numbers: [1, 11, 50], before: [0, 1, 10, 5] })
      for (const program of [once, other]) program.close()
      state.close()
    })

    test('an input may be filled again as soon as run was called', async () => {
      const state = await stateWith(engine, {})
      const program = compile(state, { outputs: { y: mul(input('x', [9]), 2) } })
      const x = new Float32Array(9)
      const runs = Array.from({ length: 20 }, (_, i) => program.run({ x: x.fill(i) }))
      const got = (await Promise.all(runs)).map(({ y }) => y[8])
      assert.deepEqual(
        got,
        runs.map((_, i) => 2 * i),
      )
      program.close()
    })

    test('a step that is not finite leaves the state untouched, bit for bit', async () => {
      const start = { w: [1e-45, -0, 3.25, 1e38], m: [1, 2, 3, 4] }
      const state = await stateWith(engine, start)
      const [w, m] = [vector('w', 4), vector('m', 4)]
      const gradient = input('g', [4])
      const ok = finite(sum(mul(gradient, 0.5)))
      const program = compile(state, {
        outputs: { ok },
        updates: [
          [w, select(ok, sub(w, mul(gradient, 0.1)), w)],
          [m, select(ok, add(mul(m, 0.9), gradient), m)],
        ],
      })
      const before = bytesOf({ w: await state.read('w'), m: await state.read('m') })
      for (const bad of [NaN, Infinity, -Infinity]) {
        assert.equal((await program.run({ g: Float32Array.of(1, bad, 2, 3) })).ok[0], 0)
        assert.deepEqual(bytesOf({ w: await state.read('w'), m: await state.read('m') }), before, String(bad))
      }
      assert.equal((await program.run({ g: Float32Array.of(1, 1, 2, 3) })).ok[0], 1)
      assert.notDeepEqual(bytesOf({ w: await state.read('w'), m: await state.read('m') }), before)
      program.close()
      state.close()
    })

    test('what cannot be is refused when the program is made, or when it is used', async () => {
      const state = await stateWith(engine, { a: [1, 2, 3] })
      const a = vector('a', 3)
      const make = (goals: Partial<Goals>) => () => compile(state, goals)
      assert.throws(make({ updates: [[a, sum(a)]] }), failure('E_SHAPE', 'a', 'float32 [3]', 'float32 []'))
      assert.throws(make({ updates: [[a, argmax(input('x', [3, 2]))]] }), failure('E_SHAPE', 'a', 'int32'))
      assert.throws(make({ updates: [[add(a, 1), a]] }), failure('E_GRAPH', 'only a variable'))
      assert.throws(make({ updates: [[a, add(a, 1)], [a, add(a, 2)]] }), failure('E_GRAPH', 'twice', 'a')) // biome-ignore format: a row
      assert.throws(make({ outputs: { y: vector('b', 3) } }), failure('E_GRAPH', 'b', 'not in the state'))
      assert.throws(make({ outputs: { y: vector('a', 4) } }), failure('E_SHAPE', 'a', '[4]', '[3]'))
      await assert.rejects(state.write('a', Float32Array.of(1)), failure('E_SHAPE', 'a', '1 values'))
      await assert.rejects(
        state.add('c', { shape: [2], dtype: 'float32' }, () => Float32Array.of(1)),
        failure('E_SHAPE', 'c'),
      )
      assert.ok(!state.has('c'))
      await assert.rejects(
        state.add('a', { shape: [2], dtype: 'float32' }, () => new Float32Array(2)),
        failure('E_SHAPE', 'a'),
      )
      const program = compile(state, { outputs: { y: mul(a, input('x', [3])) } })
      await assert.rejects(program.run({}), failure('E_SHAPE', "'x'", 'float32 [3]', 'nothing'))
      await assert.rejects(program.run({ x: new Float32Array(2) }), failure('E_SHAPE', "'x'", '2 values'))
      await assert.rejects(program.run({ x: new Int32Array(3) }), failure('E_SHAPE', "'x'", 'int32'))
      const resident = state.resident('a')
      state.close()
      await assert.rejects(resident.read(), failure('E_CLOSED'))
      await assert.rejects(program.run({ x: new Float32Array(3) }), failure('E_CLOSED', 'a'))
      program.close()
      program.close()
      await assert.rejects(program.run({ x: new Float32Array(3) }), failure('E_CLOSED', 'program'))
    })
  })
}
