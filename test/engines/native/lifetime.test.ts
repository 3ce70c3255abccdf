/** The native engine's own thread and memory: how processes, worker threads and engines end. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import type { Engine } from '../../../src/compile/engine.ts'
import type { Program } from '../../../src/compile/program.ts'
import { compile } from '../../../src/compile/program.ts'
import { State } from '../../../src/compile/state.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import type { Node } from '../../../src/graph/node.ts'
import { input, variable } from '../../../src/graph/node.ts'
import { broadcastTo } from '../../../src/ops/broadcasting.ts'
import { add, exp, sub } from '../../../src/ops/elementwise.ts'
import { matmul } from '../../../src/ops/matmul.ts'
import { mean } from '../../../src/ops/reduction.ts'
import { failure } from '../../support/failure.ts'
import { available } from '../../support/require.ts'
import { ladder } from '../../support/tensors.ts'
import { turnsUntil } from '../../support/turns.ts'

const { skip } = available('native')

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A product of many matrices: 40 take a tenth of a second, say. */
function chain(engine: Engine, times: number, size = 512): { program: Program; run: () => Promise<number> } {
  const x = input('x', [size, size])
  let y: Node = x
  for (let i = 0; i < times; i++) y = matmul(y, x)
  const program = compile(new State(engine), { outputs: { y: mean(y) } })
  const values = { x: ladder(size * size, 1, [-0.04, 0.05]) }
  return { program, run: async () => (await program.run(values)).y[0] }
}

/** The same for a process or a thread of its own: `run(times)` starts as many products of 512 x 512. */
const script = `
  const { nativeEngine } = await import('../../../src/engines/native/engine.ts')
  const { compile } = await import('../../../src/compile/program.ts')
  const { State } = await import('../../../src/compile/state.ts')
  const { input } = await import('../../../src/graph/node.ts')
  const { matmul } = await import('../../../src/ops/matmul.ts')
  const { mean } = await import('../../../src/ops/reduction.ts')
  const engine = nativeEngine({ threads: 2 })
  const prepared = (times) => {
    const x = input('x', [512, 512])
    let y = x
    for (let i = 0; i < times; i++) y = matmul(y, x)
    const program = compile(new State(engine), { outputs: { y: mean(y) } })
    return () => program.run({ x: new Float32Array(512 * 512) })
  }
  const run = (times) => prepared(times)()
  const soon = () => new Promise((done) => setTimeout(done, 30))
`

/** Code for a worker thread: as the script, but that paths are whole. */
const worker = (body: string): string =>
  `(async () => {${script.replaceAll("'../../../src/", `'${new URL('../../../src/', import.meta.url)}`)}
   const { parentPort } = await import('node:worker_threads')
   ${body}})()`

suite('native: the process ends', { skip }, () => {
  const node = (body: string) =>
    promisify(execFile)(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--conditions=fovea-source',
        '--input-type=module',
        '-e',
        script + body,
      ],
      { cwd: new URL('.', import.meta.url), timeout: 240_000 },
    ).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      ({ stdout, code, signal }) => ({ stdout, code: code ?? signal }), // a crash, or no end, is a signal
    )
  const ends: readonly [title: string, body: string, stdout: string, code?: number, times?: number][] = [
    ['nothing was ever asked', '', ''],
    ['an idle engine keeps no process alive', 'console.log((await run(1)).y[0])', '0\n'],
    ['a run that nobody awaits is finished', 'run(1).then(({ y }) => console.log(y[0]))', '0\n'],
    ['closed, and nothing else', "await engine.close(); console.log('closed')", 'closed\n'],
    ['closed when all is done', "await run(1); await engine.close(); console.log('closed')", 'closed\n'],
    [
      'closed with runs waiting',
      // the first may have begun or not; the second certainly waits
      `const [long, short] = [prepared(200), prepared(1)]
       long().catch(() => {}); short().catch((e) => console.log(e.code)); await engine.close()`,
      'E_CLOSED\n',
    ],
    ['by process.exit before a run', 'run(200); process.exit(3)', '', 3],
    ['by process.exit in the middle of runs', 'run(300); run(300); await soon(); process.exit(4)', '', 4],
    ['by an error in the middle of a run', "run(300); await soon(); process.on('uncaughtException', () => process.exit(5)); throw 1", '', 5], // biome-ignore format: a row
    [
      'by process.exit while a worker thread computes',
      `const { Worker } = await import('node:worker_threads'); new Worker(${JSON.stringify(worker("parentPort.postMessage('on'); run(300); run(300)"))}, { eval: true }).on('message', async () => { await soon(); process.exit(7) })`,
      '',
      7,
      10, // it matters what the worker is about to ask just then
    ],
    ['closed and left by process.exit at once', 'run(300); await soon(); engine.close(); process.exit(6)', '', 6],
  ]
  for (const [title, body, stdout, code = 0, times = 1] of ends) {
    test(title, async () => {
      for (let i = 0; i < times; i++) assert.deepEqual(await node(body), { stdout, code })
    })
  }
})

/** Runs a script in a thread; how it ended. */
async function inThread(body: string, { terminate = false } = {}): Promise<unknown> {
  const thread = new Worker(worker(body), { eval: true })
  const ended = new Promise((resolve) => thread.on('exit', resolve))
  const said = new Promise((resolve, reject) => {
    thread.on('message', resolve)
    thread.on('error', reject)
  })
  const first = await said
  if (terminate) await thread.terminate()
  await ended
  return first
}

suite('native: threads', { skip }, () => {
  test('in a worker thread that ends by itself, and in others that are ended at work', async () => {
    assert.equal(await inThread('parentPort.postMessage((await run(3)).y[0])'), 0)
    for (let i = 0; i < 5; i++) {
      const body = "run(300); run(300); await soon(); parentPort.postMessage('at work')"
      assert.equal(await inThread(body, { terminate: true }), 'at work')
    }
    const engine = nativeEngine({ threads: 1 })
    assert.ok(Number.isFinite(await chain(engine, 1).run()))
    await engine.close()
  })

  const isRoot = process.getuid?.() === 0 && spawnSync('prlimit', ['--version']).status === 0
  test('more threads than the system gives', { skip: !isRoot && 'needs root and prlimit' }, () => {
    // a user has few; root has no such limit, so the process becomes somebody else
    const body = `
      process.setuid(65432)
      try { nativeEngine({ threads: 100 }) } catch (error) { console.log(error.message) }
      console.log((await run(2)).y[0])`
    const limited = [
      '--nproc=60',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--conditions=fovea-source',
    ]
    const { stdout, stderr } = spawnSync('prlimit', [...limited, '--input-type=module', '-e', script + body], {
      cwd: new URL('.', import.meta.url),
      encoding: 'utf8',
    })
    assert.equal(stdout, 'engine: the system gives no 100 threads\n0\n', stderr)
  })

  test('two engines at once compute what each alone does', async () => {
    const engines = [nativeEngine({ threads: 2 }), nativeEngine({ threads: 2 }), nativeEngine({ threads: 1 })]
    const chains = engines.map((engine) => chain(engine, 6, 200))
    const alone: number[] = []
    for (const { run } of chains) alone.push(await run())
    for (let i = 0; i < 20; i++) assert.deepEqual(await Promise.all(chains.map(({ run }) => run())), alone)
    assert.equal(alone[0], alone[1])
    await Promise.all(engines.map((engine) => engine.close()))
  })

  test('the main thread goes on while a long step runs', async () => {
    const engine = nativeEngine({ threads: 2 })
    const { program, run } = chain(engine, 60)
    await program.ready
    await run()
    const turns = await turnsUntil(run())
    assert.ok(turns > 5, `${turns} turns of its loop`)
    await engine.close()
  })

  test('engines that were closed or dropped leave no threads and little memory behind', async () => {
    const threads = (): number => Number(readFileSync('/proc/self/status', 'utf8').match(/Threads:\s+(\d+)/)?.[1])
    const settled = async (most: number, turns = 100): Promise<number> => {
      for (let turn = 0; turn < turns && threads() > most; turn++) {
        collect()
        await new Promise((done) => setTimeout(done, 10))
      }
      return threads()
    }
    const use = async (how: 'closed' | 'dropped'): Promise<void> => {
      const engine = nativeEngine({ threads: 2 })
      await chain(engine, 1).run() // 3 MB
      if (how === 'closed') await engine.close()
    }
    for (const how of ['closed', 'dropped'] as const) {
      for (let i = 0; i < 10; i++) await use(how)
      const before = await settled(0)
      const memory = process.memoryUsage().rss
      for (let i = 0; i < 40; i++) {
        await use(how)
        if (i % 10 === 9) await settled(before)
      }
      const after = await settled(before + 2, 2000)
      assert.ok(after <= before + 2, `${how}: ${before} threads, then ${after}`)
      const grown = (process.memoryUsage().rss - memory) / 1e6
      assert.ok(grown < 60, `${how}: grown by ${grown} MB`)
    }
  })

  test('closing gives memory back, without a collection of garbage', async () => {
    const mega = (): number => Math.round(process.memoryUsage().rss / 2 ** 20)
    /** Bytes given back by the engine's thread, which nobody waits for. */
    const until = async (most: number): Promise<void> => {
      for (let tries = 0; tries < 2000 && mega() > most; tries++) await new Promise((done) => setTimeout(done, 10))
      assert.ok(mega() <= most, `${mega()} MB, not ${most}`)
    }
    /** What is taken when nothing more is given back: earlier tests may have left what their engines' threads still free. */
    const atRest = async (): Promise<number> => {
      let least = mega()
      for (let unchanged = 0; unchanged < 20; unchanged++) {
        collect()
        await new Promise((done) => setTimeout(done, 10))
        const now = mega()
        if (now < least) unchanged = 0
        least = Math.min(least, now)
      }
      return least
    }
    await atRest()
    const engine = nativeEngine({ threads: 2 })
    const state = new State(engine)
    const side = 2 ** 12 // a matrix has 64 MB
    const [x, w] = [input('x', [1, 1]), variable('w', [side, side])]
    await state.add('w', w, () => new Float32Array(side * side))
    const wide = broadcastTo(x, { shape: [side, side] })
    const y = mean(matmul(add(wide, w), sub(wide, w)))
    const program = compile(state, { outputs: { y } })
    await program.run({ x: Float32Array.of(1) })
    const [all, arena] = [await atRest(), program.memory.peakBytes / 2 ** 20]
    assert.ok(arena > 100, `${arena} MB of arena`)
    program.close()
    await until(all - arena * 0.9)
    await assert.rejects(program.run({ x: Float32Array.of(1) }), failure('E_CLOSED', 'program'))
    await assert.rejects(program.profile(), failure('E_CLOSED', 'program'))
    state.close()
    await until(all - arena * 0.9 - 60)
    const few = await atRest()
    const second = compile(new State(engine), { outputs: { y: mean(matmul(wide, exp(wide))) } })
    await second.run({ x: Float32Array.of(1) })
    assert.ok(mega() > few + 100, `${few} MB, then ${mega()}`)
    await engine.close() // the program was not
    await until(few + 20)
  })

  test('what is dropped at work works to its end', async () => {
    const engine = nativeEngine({ threads: 2 })
    const wanted = await chain(engine, 20).run()
    const runs: Promise<number>[] = []
    for (let i = 0; i < 8; i++) {
      runs.push(chain(engine, 20).run())
      collect()
      await new Promise((done) => setTimeout(done, 1))
    }
    for (const got of await Promise.all(runs)) assert.equal(got, wanted)
    await engine.close()
  })
})
