/** The part of the engine suite that is about what an engine refuses: what its memory does not hold, all once it is closed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Engine } from '../../src/compile/engine.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import { constant, input } from '../../src/graph/node.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { sum } from '../../src/ops/reduction.ts'
import { failure } from '../support/failure.ts'
import { ladder } from '../support/tensors.ts'

/** `open` gives another engine of the same kind, to be closed. */
export function refusedSuite(engine: Engine, open: () => Engine): void {
  test('a program beyond the memory of the engine is refused before it runs', () => {
    const tight: Engine = { ...engine, memoryLimit: 10_000 }
    const x = input('x', [100, 100])
    const refuses = failure('E_LIMIT', 'at most 10000 bytes', 'smaller batch')
    assert.throws(() => compile(new State(tight), { outputs: { y: sum(mul(x, x)) } }), refuses)
    const table = constant(ladder(10_000, 1), [100, 100])
    const product = matmul(input('row', [1, 100]), table)
    assert.throws(() => compile(new State(tight), { outputs: { y: product } }), refuses)
    const { memory } = compile(new State(engine), { outputs: { y: product } })
    assert.ok(memory.peakBytes < 10_000, `${memory.peakBytes} in the arena`) // the constant is not there
  })

  test('close: what is waiting, and what comes later, ends with E_CLOSED', async () => {
    const own = open()
    const state = new State(own)
    await state.add('w', { shape: [4], dtype: 'float32' }, () => new Float32Array(4))
    const x = input('x', [64, 64])
    const program = compile(state, { outputs: { y: matmul(matmul(x, x, {}), x, {}) } })
    await program.ready
    const pending = Array.from({ length: 5 }, () =>
      program.run({ x: new Float32Array(4096) }).then(
        () => 'done',
        (error) => error.code,
      ),
    )
    await own.close()
    const ends = await Promise.all(pending)
    assert.ok(
      ends.every((end) => end === 'done' || end === 'E_CLOSED'),
      ends.join(),
    )
    await assert.rejects(program.run({ x: new Float32Array(4096) }), failure('E_CLOSED'))
    await assert.rejects(state.read('w'), failure('E_CLOSED'))
    await assert.rejects(state.write('w', new Float32Array(4)), failure('E_CLOSED'))
    await own.close()
  })
}
