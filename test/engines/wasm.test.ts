import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import { compile } from '../../src/compile/program.ts'
import { schedule } from '../../src/compile/schedule.ts'
import { State } from '../../src/compile/state.ts'
import { assemble } from '../../src/engines/wasm/assembler.ts'
import { wasmEngine } from '../../src/engines/wasm/engine.ts'
import { FunctionWriter } from '../../src/engines/wasm/function.ts'
import { hasFusedMultiplyAdd, hasSimd } from '../../src/engines/wasm/host.ts'
import { multiplyAdd, v128 } from '../../src/engines/wasm/instructions.ts'
import type { WasmStage } from '../../src/engines/wasm/kernel.ts'
import { mathFunctions } from '../../src/engines/wasm/math.ts'
import { Threads } from '../../src/engines/wasm/threads.ts'
import type { DType } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input, variable } from '../../src/graph/node.ts'
import type { Activation } from '../../src/nn/activations.ts'
import { activate } from '../../src/nn/activations.ts'
import { add, mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { mean, sum } from '../../src/ops/reduction.ts'
import { failure } from '../support/failure.ts'
import type { Loop } from '../support/module.ts'
import { functionsOf, innermostOf, instructionsOf, isScalarFloat } from '../support/module.ts'
import { addWeights, lenet } from '../support/network.ts'
import { bytesOf, elementwiseCases, evaluate, ladder, sampleCases, valuesFor, weighted } from '../support/tensors.ts'
import { turnsUntil } from '../support/turns.ts'
import { engineSuite } from './engine.case.ts'
import { large } from './large.case.ts'

/** Relative errors in float32; measured below 5e-7. */
engineSuite('wasm', { open: () => wasmEngine({ threads: 2 }), tolerances: { other: 1e-6 } })

/** All samples and the large cases as one graph, with gradients. */
function everything(): { outputs: Record<string, Node>; values: Record<string, Numbers> } {
  const outputs: Record<string, Node> = {}
  const values: Record<string, Numbers> = {}
  const cases = [
    ...[...sampleCases, ...elementwiseCases].map(({ title, inputs, values, y }) => ({
      title,
      specs: inputs,
      given: (i: number) => values[`x${i}`],
      build: (x: readonly Node[]) => rebuilt(y, x),
    })),
    ...large.map(({ name, specs, y }) => ({
      title: name,
      specs,
      given: (i: number) => valuesFor(specs[i], i, 50),
      build: y,
    })),
  ]
  for (const { title, specs, given, build } of cases) {
    const inputs = specs.map(({ shape, dtype }, i) => input(`${title} x${i}`, shape, dtype as DType))
    for (const i of inputs.keys()) values[`${title} x${i}`] = given(i)
    const y = build(inputs)
    outputs[title] = y
    const floats = inputs.filter((x) => x.dtype === 'float32')
    if (y.dtype !== 'float32' || floats.length === 0 || !y.op.row.gradient) continue
    for (const [i, flow] of gradients(weighted(y), floats).entries()) outputs[`${title} d${i}`] = flow
  }
  return { outputs, values }
}
const rebuilt = (y: Node, inputs: readonly Node[]): Node => ({ ...y, inputs })

suite('wasm: threads', () => {
  const engines = [1, 2, 4].map((threads) => wasmEngine({ threads }))
  after(() => Promise.all(engines.map((engine) => engine.close())))

  test('every op gives the same bytes on 1, 2 and 4 threads', async () => {
    const { outputs, values } = everything()
    const [one, ...others] = await Promise.all(engines.map((engine) => evaluate(engine, { outputs }, values)))
    for (const other of others) assert.deepEqual(bytesOf(other), bytesOf(one))
  })

  test('training gives the same bytes on 1, 2 and 4 threads', async () => {
    const { training, weights } = lenet(64)
    const batch = (step: number) => ({
      image: Uint8Array.from({ length: 64 * 144 }, (_, i) => (i * 37 + step * 11 + (i % 144) * (i % 7)) % 256),
      label: Int32Array.from({ length: 64 }, (_, i) => (i + step) % 10),
    })
    const train = async (engine: Engine) => {
      const state = new State(engine)
      await addWeights(state, weights)
      const program = compile(state, training)
      const runs = Array.from({ length: 8 }, (_, step) => program.run(batch(step)))
      const losses = (await Promise.all(runs)).map(({ loss }) => loss[0])
      const after: Record<string, Numbers> = {}
      for (const name of state.names) after[name] = await state.read(name)
      program.close()
      state.close()
      return { losses, after: bytesOf(after) }
    }
    const [one, ...others] = await Promise.all(engines.map(train))
    for (const other of others) assert.deepEqual(other, one)
    assert.ok(one.losses.every(Number.isFinite))
    assert.equal(new Set(one.losses).size, 8)
  })
})

test('wasm: programs in turns, many runs under way, more threads than cores', async () => {
  const engine = wasmEngine({ threads: 5 })
  const state = new State(engine)
  await state.add('count', { shape: [], dtype: 'float32' }, () => Float32Array.of(0))
  const count = variable('count', [])
  const x = input('x', [64, 96])
  const programs = [2, 3].map((factor) =>
    compile(state, { outputs: { y: add(mul(matmul(x, constant(new Float32Array(96 * 40).fill(factor), [96, 40])), 1 / 96), count) }, updates: [[count, add(count, 1)]] }),
  ) // biome-ignore format: a line
  const runs = Array.from({ length: 600 }, (_, i) =>
    programs[i % 3 === 0 ? 0 : 1].run({ x: new Float32Array(64 * 96).fill(i % 7) }),
  )
  for (const [i, { y }] of (await Promise.all(runs)).entries()) {
    const wanted = (i % 7) * (i % 3 === 0 ? 2 : 3) + i
    assert.ok(
      y.every((value) => Math.abs(value - wanted) < 1e-3),
      `run ${i}: ${y[0]}, not ${wanted}`,
    )
  }
  await engine.close()
})

test('wasm: the main thread goes on while a long program runs', async () => {
  const engine = wasmEngine({ threads: 2 })
  const x = input('x', [512, 512])
  let y: Node = x
  for (let i = 0; i < 40; i++) y = matmul(y, x)
  const program = compile(new State(engine), { outputs: { y: mean(y) } })
  await program.ready
  const turns = await turnsUntil(program.run({ x: ladder(512 * 512, 1, [-0.04, 0.05]) }))
  assert.ok(turns > 5, `${turns} turns of its loop`)
  await engine.close()
})

suite('wasm: lifetime', () => {
  const node = (script: string) =>
    promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source', '--input-type=module', '-e', script],
      { cwd: new URL('.', import.meta.url), timeout: 240_000 },
    )
  const body = `
    import { wasmEngine } from '../../src/engines/wasm/engine.ts'
    import { compile } from '../../src/compile/program.ts'
    import { State } from '../../src/compile/state.ts'
    import { input } from '../../src/graph/node.ts'
    import { mul } from '../../src/ops/elementwise.ts'
    const engine = wasmEngine({ threads: 3 })
    const program = compile(new State(engine), { outputs: { y: mul(input('x', [3]), 2) } })
    const run = () => program.run({ x: Float32Array.of(1, 2, 3) })
  `
  const ends: readonly [title: string, script: string, says: string][] = [
    ['idle workers keep no process alive', 'console.log((await run()).y[2])', '6\n'],
    ['a run that nobody awaits is finished', 'run().then(({ y }) => console.log(y[0]))', '2\n'],
    ['close with a run in flight', "run().catch((e) => console.log(e.code)); await engine.close()", 'E_CLOSED\n'], // biome-ignore format: a row
    ['close, and nothing else', "await engine.close(); console.log('closed')", 'closed\n'],
    [
      'close when all is done',
      "await run(); await engine.close(); await engine.close(); console.log('closed')",
      'closed\n',
    ],
    ['nothing was ever asked', '', ''],
  ]
  for (const [title, script, says] of ends) {
    test(`the process ends: ${title}`, async () => {
      assert.deepEqual(await node(body + script), { stdout: says, stderr: '' })
    })
  }

  test('a worker that fails ends all that waits, and all that comes later, with an error', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true })
    const threads = new Threads(2, memory)
    const code = Uint8Array.of(0, 1, 2, 3)
    const counters = new Int32Array(new SharedArrayBuffer(4))
    const loading = threads.load({ type: 'load', program: 0, code, launches: [], counters })
    const reading = threads.ask({ type: 'read', at: 0, bytes: 4 })
    await assert.rejects(loading, failure('E_BUG', 'kernel'))
    await reading.catch(failure('E_BUG', 'kernel'))
    await assert.rejects(threads.ask({ type: 'read', at: 0, bytes: 4 }), failure('E_BUG', 'kernel'))
    await threads.close()
  })

  test('states and programs made and closed 200 times, or dropped, take no more memory', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const engine = wasmEngine({ threads: 1 })
    const spec = { shape: [64, 1024], dtype: 'float32' } as const
    const bytes = 64 * 1024 * 4
    /** Where the next tensor would come to lie: one past all that is taken. */
    const top = (): number => {
      const probe = engine.create({ shape: [64, 1024 * 1024], dtype: 'float32' }) as unknown as { address: number }
      const { address } = probe
      ;(probe as unknown as { close: () => void }).close()
      return address
    }
    const use = async (how: 'closed' | 'dropped') => {
      const state = new State(engine)
      await state.add('w', spec, () => new Float32Array(bytes / 4))
      const w = variable('w', spec.shape)
      const program = compile(state, {
        outputs: { y: sum(mul(w, constant(new Float32Array(bytes / 4), spec.shape))) },
        updates: [[w, add(w, 1)]],
      })
      await program.run({})
      program.close()
      if (how === 'closed') state.close()
    }
    await use('closed')
    const before = top()
    for (let i = 0; i < 200; i++) await use('closed')
    assert.ok(top() <= before, `closed: ${before} grew to ${top()}`)
    for (let i = 0; i < 200; i++) {
      await use('dropped')
      if (i % 20 < 19) continue
      collect()
      await new Promise((done) => setTimeout(done, 5))
    }
    for (let tries = 0; tries < 2000 && top() > before + 2 * bytes; tries++) {
      collect()
      await new Promise((done) => setTimeout(done, 10)) // finalizers run when the host finds the time
    }
    assert.ok(top() <= before + 2 * bytes, `dropped: ${before} grew to ${top()}`)
    await engine.close()
  })
})

suite('wasm: code', () => {
  const engine = wasmEngine({ threads: 1 })
  after(() => engine.close())

  /** The functions that a graph is lowered to, by their keys. */
  function kernelsOf(outputs: Readonly<Record<string, Node>>, optimize: 'on' | 'off'): Map<string, Loop> {
    const { steps } = schedule({ outputs, updates: [] }, { fusing: optimize, rules: engine.memoryRules })
    const stages = engine.lower(steps, new Set()) as WasmStage[]
    const kernels = new Map(stages.map(({ code: { kernel } }) => [kernel.key, kernel]))
    const functions = [...kernels.values()].map(({ generate }, i) => generate(`k${i}`, true))
    const module = assemble([...functions, ...mathFunctions(true)], { shared: true })
    const loops = functionsOf(module)
    return new Map([...[...kernels.keys()].map((key, i) => [key, loops[i]] as const)])
  }

  /** Activations with options, whose expressions are no rows of ops. */
  function activated(): Record<string, Node> {
    const x = input('activated', [3, 5])
    const given: readonly Activation[] = [
      { type: 'relu', maxValue: 2, negativeSlope: 0.1, threshold: 1 },
      ...(['elu', 'celu'] as const).map((type) => ({ type, alpha: 2 })),
      ...[{ type: 'hardSigmoid', slope: 0.2 } as const, 'softsign' as const, 'hardTanh' as const],
    ]
    const outputs = given.map((one) => activate(x, one))
    const slopes = outputs.map((y) => gradients(sum(y), [x])[0])
    return Object.fromEntries([...outputs, ...slopes].map((node, i) => [`activated ${i}`, node]))
  }

  test('no function has an instruction on single floats', () => {
    const outputs = { ...everything().outputs, ...activated() }
    for (const optimize of ['on', 'off'] as const) {
      for (const [key, whole] of kernelsOf(outputs, optimize)) {
        assert.equal(instructionsOf(whole).filter(isScalarFloat).length, 0, key)
      }
    }
    for (const whole of functionsOf(assemble(mathFunctions(false), { shared: false }))) {
      assert.equal(instructionsOf(whole).filter(isScalarFloat).length, 0)
      assert.ok(instructionsOf(whole).some(({ opcode }) => opcode === 0xfd))
    }
  })

  test('every innermost loop works on vectors', () => {
    const { outputs } = everything()
    // a border shorter than a few cache lines, or bytes: set one by one
    const exempt = /^fill /
    let loops = 0
    const names = new Set<string>()
    for (const [key, whole] of kernelsOf(outputs, 'off')) {
      if (exempt.test(key)) continue
      names.add(key.split(' ')[0])
      for (const { body } of innermostOf(whole)) {
        loops++
        assert.ok(
          body.some(({ opcode }) => opcode === 0xfd || opcode === 0x10),
          key,
        )
      }
    }
    assert.ok(loops > 300, String(loops))
    const hot = ['rowProducts', 'outerProducts', 'rowVectors', 'depthwise', 'depthwiseKernelGradient', 'pack']
    assert.deepEqual(hot.filter((name) => !names.has(name)), []) // biome-ignore format: a line
  })

  test('the reader of modules sees a float where there is one', () => {
    const f = new FunctionWriter(true)
    const body = [0x43, 0, 0, 0x80, 0x3f, 0x43, 0, 0, 0, 0x40, 0x92, 0x1a]
    const module = assemble([f.finish('probe', body, { exported: true })], { shared: false })
    assert.ok(WebAssembly.validate(module))
    assert.equal(functionsOf(module).flatMap(instructionsOf).filter(isScalarFloat).length, 3)
  })

  test('the products use the multiply-add of the host', () => {
    assert.ok(hasSimd())
    for (const fused of [true, false]) {
      const f = new FunctionWriter(fused)
      const zero = v128.load(0 as never)
      assert.deepEqual(f.multiplyAdd(zero, zero, zero), multiplyAdd(fused)(zero, zero, zero))
    }
    const product = matmul(input('a', [64, 64]), input('b', [64, 64]))
    const [, rows] = [...kernelsOf({ product }, 'on').values()]
    const fusedAdds = instructionsOf(rows).filter(({ simd }) => simd === 0x105)
    assert.equal(fusedAdds.length > 0, true)
    assert.equal(engine.description.includes('fused'), hasFusedMultiplyAdd())
  })
})
