/** The native addon, asked directly for what is wrong: an error with a code and a place, never a crash. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { compile } from '../../../src/compile/program.ts'
import { State } from '../../../src/compile/state.ts'
import type { Description, Machine, OperandPlace, ProgramDescription } from '../../../src/engines/native/addon.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { expressionFields } from '../../../src/engines/native/expression.ts'
import { functionCodes } from '../../../src/engines/native/instructions.ts'
import { tapsOfLoop } from '../../../src/engines/native/kernels/few-channels.ts'
import { input } from '../../../src/graph/node.ts'
import { broadcastTo } from '../../../src/ops/broadcasting.ts'
import { mul } from '../../../src/ops/elementwise.ts'
import { matmul } from '../../../src/ops/matmul.ts'
import { sum } from '../../../src/ops/reduction.ts'
import { argument } from '../../../src/ops/scalar.ts'
import { failure } from '../../support/failure.ts'
import { available } from '../../support/require.ts'
import { ladder } from '../../support/tensors.ts'
import { descriptions, runAlone, skipFor, theAddon } from './descriptions.ts'
import type { Change, Wrong } from './refused.ts'
import { endless, far, float, wrongOperations } from './refused.ts'

const { skip } = available('native')

/** What an action throws, or what it promised ends with, must be one of our errors. */
async function refused(action: () => unknown, code: string, ...words: readonly string[]): Promise<void> {
  let end: Wrong
  try {
    end = { came: await action() }
  } catch (error) {
    end = error
  }
  assert.ok(end instanceof Error, `not refused, came to ${String(end?.came)}`)
  const { code: got, where, message } = end as Error & { code?: string; where?: string }
  assert.equal(got, code, `${where}: ${message}`)
  for (const word of words)
    assert.ok(`${where}: ${message}`.includes(word), `'${word}' is not in '${where}: ${message}'`)
}

suite('native: what is wrong is refused', { skip }, () => {
  const { Engine } = theAddon()
  const machine = new Engine(2)
  const other = new Engine(1)
  after(() => {
    machine.close()
    other.close()
  })
  const right = (where: string): Description => descriptions[where]
  const made = (where: string, on: Machine = machine) => on.operation(right(where))

  for (const [where, rows] of Object.entries(wrongOperations)) {
    test(`the description of ${where}`, { skip: skipFor(right(where)) }, async () => {
      for (const [change, ...complaint] of rows) {
        const changed = typeof change === 'function' ? change(right(where)) : change
        await refused(() => machine.operation({ ...right(where), ...changed }), ...complaint)
      }
      await runAlone(machine, made(where))
    })
  }

  for (const where of ['gradient for the kernel, few channels', 'convolution by Winograd', 'convolution by tiles', 'gradient for the kernel by tiles']) // biome-ignore format: a row
    test(`pictures of more than a million places in a row: ${where}`, { skip: skipFor(right(where)) }, () => {
      const long = [1, 2 ** 20 + 3]
      const fields = { ...right(where), images: 1, input: long, output: long, apart: [1, 1], tail: undefined }
      assert.ok(machine.operation(fields).operandBytes[0] > 2 ** 21)
    })

  test('loops for few channels: for all that programs ask for, and no others', async () => {
    const few = right('gradient for the kernel, few channels')
    for (let taps = 1; taps <= 33; taps++) {
      const wide = { ...few, channels: 1, window: [3, taps], input: [8, 40], output: [8, 40], before: [1, 0] }
      if (tapsOfLoop.has(taps)) await runAlone(machine, machine.operation(wide))
      else await refused(() => machine.operation(wide), 'E_BUG', 'window', 'loop')
    }
  })

  test('every function of an expression is known, and no other', async () => {
    for (const code of Object.values(functionCodes))
      machine.operation({ ...right('elementwise'), code: [code, 7, 0, 0, 0] })
    const most = Math.max(...Object.values(functionCodes))
    await refused(
      () => machine.operation({ ...right('elementwise'), code: [most + 1, 7, 0, 0, 0] }),
      'E_BUG',
      'functions',
    )
  })

  test('what is no description at all, and one that throws when it is read', async () => {
    const ask = machine.operation as Wrong
    for (const what of [undefined, null, 7, 'fill', Symbol('fill')]) {
      await refused(() => ask.call(machine, what), 'E_BUG', 'description')
    }
    await refused(() => ask.call(machine, []), 'E_BUG', 'kind')
    const thrown = Object.defineProperty({ ...right('fill') }, 'elements', {
      get: () => {
        throw new Error('on purpose')
      },
    })
    await refused(() => machine.operation(thrown), 'E_ENGINE', 'fill: on purpose')
    const grown = [2, 3, 6, 7]
    Object.defineProperty(grown, 3, { get: () => grown.push(1, 1, 1) && 7 })
    await refused(() => machine.operation({ ...right('convolution'), x: grown, y: [2, 5] }), 'E_BUG')
  })

  test('a method of something that is no engine', () => {
    const { run, tensor } = Engine.prototype as Wrong
    for (const self of [undefined, {}, 7]) {
      assert.throws(() => run.call(self), Error)
      assert.throws(() => tensor.call(self, 4), Error)
    }
    assert.throws(() => (Engine as Wrong)(2), TypeError)
  })

  test('threads', async () => {
    for (const threads of [0, -1, 1.5, 1025, NaN, Infinity, '2', undefined, null, {}]) {
      await refused(() => new Engine(threads as Wrong), 'E_BUG', 'threads')
    }
  })

  test('packing for something else', { skip: skipFor(right('matmul, transposed')) }, async () => {
    const product = made('matmul, transposed').handle
    const repack = { kind: 'repack', where: 'packing', product, dtype: 'bfloat16' }
    await runAlone(machine, machine.operation(repack))
    const rows: readonly [change: Change, code: string, ...words: string[]][] = [
      [{ product: undefined }, 'E_BUG', 'packing: ', 'operation'],
      [{ product: {} }, 'E_BUG', 'operation'],
      [{ product: machine.tensor(64) }, 'E_BUG', 'operation'],
      [{ product: made('fill').handle }, 'E_BUG', 'product'],
      [{ product: made('matmul').handle }, 'E_BUG', 'product', 'layout of its own'],
      [{ dtype: 'int32' }, 'E_BUG', 'dtype'],
      [{ product: made('gradient for the input, turned').handle, back: true }, 'E_BUG', 'product'],
    ]
    for (const [change, ...complaint] of rows) {
      await refused(() => machine.operation({ ...repack, ...(change as object) }), ...complaint)
    }
    // what it reads of a product stays, whoever made it
    await runAlone(machine, machine.operation({ ...repack, product: made('matmul, transposed', other).handle }))
  })

  test('pieces of something else', async () => {
    const variantOf = (...products: Wrong[]) => ({ products: products.map((product) => ({ product })) })
    const fresh = () => variantOf(made('gradient for the kernel').handle)
    const pieces = { kind: 'gradientPieces', where: 'pieces', pieces: [0, 0, 0, 0, 252, 420], x: 504, dy: 840, dtype: 'float32', bias: true } // biome-ignore format: a row
    const taken = fresh()
    await runAlone(machine, machine.operation({ ...pieces, variants: [taken] }))
    const rows: readonly [change: Change, code: string, ...words: string[]][] = [
      [{ variants: [] }, 'E_BUG', 'pieces: ', 'variants'],
      [{ variants: [variantOf()] }, 'E_BUG', 'variants'],
      [{ variants: [taken] }, 'E_BUG', 'product', 'nowhere else'],
      [{ variants: [variantOf(undefined)] }, 'E_BUG', 'operation'],
      [{ variants: [variantOf(made('fill').handle)] }, 'E_BUG', 'variants'],
      [{ variants: [variantOf(made('gradient for the kernel by Winograd').handle)] }, 'E_BUG', 'variants'],
      [{ variants: [fresh(), variantOf(made('matmul').handle)] }, 'E_BUG', 'variants'],
      [{ variants: [fresh()], bias: false }, 'E_BUG', 'variants'],
      [{ variants: [fresh()], pieces: [0, 0] }, 'E_BUG', 'pieces'],
      [{ variants: [fresh()], pieces: [1, 0, 0] }, 'E_BUG', 'pieces', 'variants'],
      [{ variants: [fresh()], pieces: [0, 253, 0] }, 'E_BUG', 'pieces', 'within'],
      [{ variants: [fresh()], pieces: [0, 0, 421] }, 'E_BUG', 'pieces', 'within'],
      [{ variants: [fresh()], pieces: [0, -1, 0] }, 'E_BUG', 'pieces'],
      [{ variants: [fresh()], dtype: 'int32' }, 'E_BUG', 'dtype'],
    ]
    for (const [change, ...complaint] of rows)
      await refused(() => machine.operation({ ...pieces, ...(change as object) }), ...complaint)
  })

  /** A program that fills 33 integers; `parts` in place of its own. */
  const program = (parts: Wrong = {}, stage: Wrong = {}): ProgramDescription => ({
    arenaBytes: 256,
    places: [{ in: 'arena', at: 64, bytes: 132 }],
    stages: [{ operation: made('fill').handle, operands: [0], written: [0], ...stage }],
    ...parts,
  })
  const place = (parts: Wrong): ProgramDescription =>
    program({ places: [{ in: 'arena', at: 64, bytes: 132, ...parts }] })
  const tensor = machine.tensor(64)

  const wrongPrograms: readonly [description: () => Wrong, code: string, ...words: string[]][] = [
    [() => undefined, 'E_BUG', 'description'],
    [() => ({}), 'E_BUG', 'arenaBytes'],
    [() => program({ arenaBytes: -1 }), 'E_BUG', 'arenaBytes'],
    [() => program({ arenaBytes: NaN }), 'E_BUG', 'arenaBytes'],
    [() => program({ arenaBytes: 2 ** 47 }), 'E_BUG', 'arenaBytes'],
    [() => program({ places: 'here' }), 'E_BUG', 'places'],
    [() => program({ places: endless }), 'E_BUG', 'places'],
    [() => program({ places: [] }), 'E_BUG', 'operands'],
    [() => program({ places: [null] }), 'E_BUG', 'places'],
    [() => place({ in: 'sea' }), 'E_BUG', "'in'"],
    [() => place({ bytes: -1 }), 'E_BUG', 'bytes'],
    [() => place({ bytes: 131 }), 'E_BUG', 'fill: ', 'operand 0 has 131 bytes, not 132'],
    [() => place({ at: 128 }), 'E_BUG', 'within the arena'],
    [() => place({ at: -64 }), 'E_BUG', "'at'"],
    [() => place({ at: 4 }), 'E_BUG', "'at'", '64'],
    [() => place({ at: far, bytes: far }), 'E_BUG', 'within the arena'],
    [() => place({ at: '64' }), 'E_BUG', "'at'"],
    [() => place({ in: 'tensor' }), 'E_BUG', 'handle of a tensor'],
    [() => place({ in: 'tensor', tensor: 7 }), 'E_BUG', 'handle of a tensor'],
    [() => place({ in: 'tensor', tensor: made('fill').handle }), 'E_BUG', 'handle of a tensor'],
    [() => place({ in: 'tensor', tensor: other.tensor(132) }), 'E_BUG', 'another engine'],
    [() => place({ in: 'tensor', tensor }), 'E_BUG', 'has these bytes'],
    [() => place({ in: 'shadow', tensor }), 'E_BUG', 'has these bytes'],
    [() => place({ in: 'own', values: new Float32Array(34) }), 'E_BUG', 'values'],
    [() => place({ in: 'own', values: [1, 2, 3] }), 'E_BUG', 'typed array'],
    [() => place({ in: 'own', values: new DataView(new ArrayBuffer(8)) }), 'E_BUG', 'typed array'],
    [() => program({ places: Array(3).fill({ in: 'own', bytes: far }) }), 'E_LIMIT', 'too large'],
    [() => program({ places: Array(200_000).fill({ in: 'own', bytes: far }) }), 'E_LIMIT', 'too large'],
    [() => place({ in: 'own', bytes: far - 1000 }), 'E_LIMIT', 'no more memory'],
    [() => program({ stages: [7] }), 'E_BUG', 'stages'],
    [() => program({}, { operation: undefined }), 'E_BUG', 'handle of an operation'],
    [() => program({}, { operation: tensor }), 'E_BUG', 'handle of an operation'],
    [() => program({}, { operation: made('fill', other).handle }), 'E_BUG', 'another engine'],
    [() => program({}, { operands: [] }), 'E_BUG', 'fill: ', 'expected 1 operands, got 0'],
    [() => program({}, { operands: [0, 0] }), 'E_BUG', 'expected 1 operands, got 2'],
    [() => program({}, { operands: [1] }), 'E_BUG', 'operands'],
    [() => program({}, { operands: [-1] }), 'E_BUG', 'operands'],
    [() => program({}, { operands: [0.5] }), 'E_BUG', 'operands'],
    [() => program({}, { written: [1] }), 'E_BUG', 'written'],
    [() => program({}, { written: undefined }), 'E_BUG', 'written'],
    [() => program({}, { committed: [0] }), 'E_BUG', 'committed', 'shadows'],
    [() => program({}, { committed: [1] }), 'E_BUG', 'committed'],
  ]
  test('programs', async () => {
    for (const [description, ...complaint] of wrongPrograms) {
      const given = description()
      await refused(() => machine.load(given).ready, ...complaint)
    }
  })

  test('an operation keeps the addresses of one program: it stands in one, and there once', async () => {
    const { handle: operation } = made('fill')
    const stage = { operation, operands: [0], written: [0] }
    await refused(() => machine.load(program({ stages: [stage, stage] })), 'E_BUG', 'fill: ', 'stands in a program')
    await machine.load(program({ stages: [stage] })).ready // what was refused has left nothing behind
    await refused(() => machine.load(program({ stages: [stage] })), 'E_BUG', 'fill: ', 'stands in a program')
  })

  test('runs, reads and writes', async () => {
    await machine.reserve(256)
    const { program: loaded } = machine.load(program())
    const run = machine.run.bind(machine) as Wrong
    const rows: readonly (readonly [action: () => unknown, code: string, ...words: string[]])[] = [
      [() => run(), 'E_BUG', 'handle of a program'],
      [() => run(tensor, [], []), 'E_BUG', 'handle of a program'],
      [() => run({}, [], []), 'E_BUG', 'handle of a program'],
      [() => other.run(loaded, [], []), 'E_BUG', 'another engine'],
      [() => run(loaded), 'E_BUG', 'lists'],
      [() => run(loaded, [], { length: 1, 0: 0 }), 'E_BUG', 'lists'],
      [() => run(loaded, 'x', []), 'E_BUG', 'lists'],
      [() => run(loaded, [0], []), 'E_BUG', 'values for each place'],
      ...[-1, 1, 0.5, NaN, Infinity, '0', null, undefined, {}].flatMap(
        (number) =>
          [
            [() => run(loaded, [number, new Float32Array(1)], []), 'E_BUG', 'number of a place'],
            [() => run(loaded, [], [number]), 'E_BUG', 'number of a place'],
          ] as const,
      ),
      [() => run(loaded, [0, [1, 2]], []), 'E_BUG', 'typed array'],
      [() => run(loaded, [0, new DataView(new ArrayBuffer(8))], []), 'E_BUG', 'typed array'],
      [() => run(loaded, [0, new ArrayBuffer(8)], []), 'E_BUG', 'typed array'],
      [() => run(loaded, [0, undefined], []), 'E_BUG', 'typed array'],
      [() => run(loaded, [0, new Float32Array(34)], []), 'E_BUG', 'larger than its place'],
      [() => machine.read(tensor, far), 'E_BUG', 'more bytes'],
      [() => machine.read(tensor, 65), 'E_BUG', 'more bytes'],
      [() => machine.read(tensor, -1), 'E_BUG', 'bytes'],
      [() => machine.read(tensor, 0.5), 'E_BUG', 'bytes'],
      [() => machine.read(loaded as Wrong, 4), 'E_BUG', 'handle of a tensor'],
      [() => other.read(tensor, 4), 'E_BUG', 'another engine'],
      [() => machine.write(tensor, new Uint8Array(65)), 'E_BUG', 'more bytes'],
      [() => machine.write(tensor, [1] as Wrong), 'E_BUG', 'typed array'],
      [() => other.write(tensor, new Float32Array(1)), 'E_BUG', 'another engine'],
      [() => machine.tensor(-1), 'E_BUG', 'bytes'],
      [() => machine.tensor('64' as Wrong), 'E_BUG', 'bytes'],
      [() => machine.tensor(2 ** 60), 'E_BUG', 'bytes'],
      [() => machine.reserve(NaN), 'E_BUG', 'bytes'],
      [() => machine.trim(-1), 'E_BUG', 'bytes'],
      [() => machine.profile(tensor as Wrong), 'E_BUG', 'handle of a program'],
    ]
    for (const [action, ...complaint] of rows) await refused(action, ...complaint)
    const [bytes] = await machine.run(loaded, [], [0])
    assert.deepEqual([...new Int32Array(bytes)], Array(33).fill(7))
  })

  test('views of any kind of buffer are taken as they are', async () => {
    await machine.reserve(256)
    const { program: loaded } = machine.load(program({ stages: [] }))
    const shared = new Uint8Array(new SharedArrayBuffer(16), 4, 8).fill(5)
    const gone = new Uint8Array(8)
    structuredClone(gone, { transfer: [gone.buffer] })
    const shrunk = new Uint8Array(new ArrayBuffer(64, { maxByteLength: 64 }))
    shrunk.buffer.resize(8)
    for (const [values, wanted] of [
      [shared, 5],
      [gone, 0],
      [shrunk, 0],
    ] as const) {
      const given = [0, new Uint8Array(132), 0, values]
      const [bytes] = await machine.run(loaded, given, [0])
      assert.deepEqual([...new Uint8Array(bytes, 0, 9)], [...Array(8).fill(wanted), 0])
    }
    await machine.write(tensor, new Float32Array(0))
    assert.deepEqual(await machine.read(tensor, 0), [new ArrayBuffer(0)])
  })

  test('memory that is not there', async () => {
    const own = new Engine(1)
    const { program: small, ready } = own.load(program({}, { operation: made('fill', own).handle }))
    await ready
    await refused(() => own.run(small, [], [0]), 'E_LIMIT', 'arena', '256 bytes')
    await own.reserve(256)
    await own.run(small, [], [0])
    await refused(() => own.tensor(far - 1000), 'E_LIMIT', 'tensor')
    await refused(() => own.reserve(far - 1000), 'E_LIMIT', 'arena')
    await own.run(small, [], [0]) // goes on in the arena that there was
    const huge: OperandPlace = { in: 'arena', at: 0, bytes: 2 ** 44 }
    const large = own.load({ arenaBytes: 2 ** 44, places: [huge], stages: [] })
    await large.ready
    await refused(() => own.run(large.program, [], []), 'E_LIMIT', 'arena')
    await refused(() => own.run(large.program, [], [0]), 'E_LIMIT', 'no more memory')
    // a scratch of 4 TB, for rows whose length is no multiple of 3: it does not load, and does not run
    const wide = expressionFields([2 ** 40, 3], [float(3)], [argument(0)], ['float32'])
    const { handle: operation, operandBytes } = own.operation({ kind: 'sum', where: 'wide', sums: 1, outer: 1, count: 3, inner: 2 ** 40, head: wide }) // biome-ignore format: a row
    const places = operandBytes.map((bytes): OperandPlace => ({ in: 'arena', at: 0, bytes }))
    const stages = [{ operation, operands: places.map((_, i) => i), written: [] }]
    const deep = own.load({ arenaBytes: 2 ** 44, places, stages })
    await refused(() => deep.ready, 'E_LIMIT', 'scratch')
    await refused(() => own.run(deep.program, [], []), 'E_LIMIT', 'scratch')
    own.close()
  })

  test('more than the machine has, in parts that would each be there', async () => {
    const most = theAddon().info().memory
    const own = new Engine(1)
    const parts = [0.35, 0.35].map((share) => own.tensor(Math.floor(most * share))) // never touched
    await refused(() => own.tensor(Math.floor(most * 0.35)), 'E_LIMIT', 'tensor', 'no more memory')
    await refused(() => own.reserve(Math.floor(most * 0.35)), 'E_LIMIT', 'arena', 'no more memory')
    const values = Uint8Array.of(1, 2, 3)
    for (const part of parts) await own.write(part, values)
    assert.deepEqual(new Uint8Array((await own.read(parts[1], 3))[0]), values)
    for (const part of parts) own.drop(part)
    await own.reserve(64) // when this is done, so is that
    own.drop(own.tensor(Math.floor(most * 0.35)))
    own.close()
  })

  test('what was given back', async () => {
    const held = machine.tensor(132)
    const places: OperandPlace[] = [{ in: 'tensor', tensor: held, bytes: 132 }]
    const { program: on, ready } = machine.load(program({ arenaBytes: 0, places }))
    await ready
    const last = machine.run(on, [], [0]) // goes first
    for (let times = 0; times < 2; times++) machine.drop(held)
    assert.deepEqual([...new Int32Array((await last)[0])], Array(33).fill(7))
    await refused(() => machine.run(on, [], []), 'E_CLOSED', 'a tensor of it')
    await refused(() => machine.run(on, [0, new Uint8Array(1)], []), 'E_CLOSED', 'a tensor of it')
    const { program: late } = machine.load(program({ arenaBytes: 64, places: [{ in: 'arena', at: 0, bytes: 4 }], stages: [] })) // biome-ignore format: a row
    machine.drop(late)
    const rows: readonly (readonly [action: () => unknown, code: string, ...words: string[]])[] = [
      [() => machine.read(held, 4), 'E_CLOSED', 'tensor'],
      [() => machine.write(held, new Uint8Array(4)), 'E_CLOSED', 'tensor'],
      [() => machine.load(program({ arenaBytes: 0, places })), 'E_CLOSED', 'tensor'],
      [() => machine.run(late, [], []), 'E_CLOSED', 'program'],
      [() => machine.profile(late), 'E_CLOSED', 'program'],
      [() => machine.drop(undefined as Wrong), 'E_BUG', 'handle'],
      [() => machine.drop(made('fill').handle as Wrong), 'E_BUG', 'handle'],
      [() => machine.drop(other.tensor(4)), 'E_BUG', 'another engine'],
    ]
    for (const [action, ...complaint] of rows) await refused(action, ...complaint)
    const closed = new Engine(1)
    const after = closed.tensor(4)
    closed.close()
    closed.drop(after)
  })

  test('an engine that was closed', async () => {
    const own = new Engine(1)
    const { program: loaded, ready } = own.load(program({ arenaBytes: 0, places: [{ in: 'own', bytes: 132 }] }, { operation: made('fill', own).handle })) // biome-ignore format: a row
    const [held, description] = [own.tensor(4), right('fill')]
    await ready
    own.close()
    own.close()
    const actions: readonly (() => unknown)[] = [
      () => own.tensor(4),
      () => own.operation(description),
      () => own.load(program()),
      () => own.reserve(64),
      () => own.trim(64),
      () => own.run(loaded, [], []),
      () => own.read(held, 4),
      () => own.write(held, new Float32Array(1)),
      () => own.profile(loaded),
    ]
    for (const action of actions) await refused(action, 'E_CLOSED')
  })
})

suite('native: the engine says it in words of ours', { skip }, () => {
  test('threads that there cannot be', () => {
    assert.throws(() => nativeEngine({ threads: 0 }), failure('E_BUG', 'engine', 'threads'))
    assert.throws(() => nativeEngine({ threads: 5000 }), failure('E_BUG', 'engine', 'threads'))
  })

  test('more memory than the machine has', async () => {
    const engine = nativeEngine({ threads: 1 })
    const state = new State(engine)
    const x = input('x', [1])
    const whole = broadcastTo(x, { shape: [2 ** 42] })
    assert.throws(
      () => compile(state, { outputs: { y: mul(whole, 2) } }),
      failure('E_LIMIT', 'native', 'smaller batch'),
    )
    assert.throws(() => engine.create({ shape: [2 ** 43], dtype: 'float32' }), failure('E_LIMIT', 'tensor', 'smaller'))
    // the engine believes that it has more than the host gives
    const generous = { ...engine, memoryLimit: Infinity }
    const program = compile(new State(generous), { outputs: { y: sum(matmul(broadcastTo(x, { shape: [2 ** 21, 2 ** 20] }), broadcastTo(x, { shape: [2 ** 20, 1] }))) } }) // biome-ignore format: a row
    await assert.rejects(program.ready, failure('E_LIMIT', 'arena', 'smaller'))
    await assert.rejects(program.run({ x: Float32Array.of(1) }), failure('E_LIMIT', 'arena'))
    program.close()
    // a claim that fails takes none along that are made beside it, and a program may be run at once
    const huge = () => compile(new State(generous), { outputs: { y: sum(matmul(broadcastTo(x, { shape: [2 ** 21, 2 ** 20] }), broadcastTo(x, { shape: [2 ** 20, 1] }))) } }) // biome-ignore format: a row
    const modest = (size: number) => compile(state, { outputs: { y: sum(matmul(broadcastTo(x, { shape: [size, 3] }), broadcastTo(x, { shape: [3, size] }))) } }) // biome-ignore format: a row
    const beside = [huge(), modest(40), huge(), modest(400), modest(4), huge()]
    const runs = beside.map((one) => one.run({ x: Float32Array.of(1) }))
    const ends = await Promise.all(runs.map((run) => run.then((result) => result['y'][0]).catch(({ code }) => code)))
    assert.deepEqual(ends, ['E_LIMIT', 4800, 'E_LIMIT', 480_000, 48, 'E_LIMIT'])
    const readies = await Promise.allSettled(beside.map(({ ready }) => ready))
    const failed = readies.map(({ status }) => status === 'rejected')
    assert.deepEqual(failed, [true, false, true, false, false, true])
    for (const one of beside) one.close()
    const small = compile(state, { outputs: { y: mul(x, 2) } })
    assert.deepEqual([...(await small.run({ x: Float32Array.of(21) })).y], [42])
    const large = compile(state, {
      outputs: { y: sum(mul(broadcastTo(x, { shape: [2 ** 20] }), input('z', [2 ** 20]))) },
    })
    assert.equal((await large.run({ x: Float32Array.of(1), z: ladder(2 ** 20, 1, [0, 2]) })).y[0], 2 ** 20)
    await engine.close()
  })
})
