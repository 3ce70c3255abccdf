/**
 * npm run -s node -- bench/norms.ts [--threads n] [--rounds n] [--engine name] [--peer]: normalisations one by one, forwards and
 * back, as bytes a second of the tensors that each pass must at least read and write; beside a plain elementwise pass, and with
 * --peer beside PyTorch.
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compile } from '../src/compile/program.ts'
import { State } from '../src/compile/state.ts'
import type { EngineName } from '../src/engines/index.ts'
import { openEngine } from '../src/engines/index.ts'
import type { Node } from '../src/graph/node.ts'
import { variable } from '../src/graph/node.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { add, mul } from '../src/ops/elementwise.ts'
import { gradients } from '../src/ops/gradient.ts'
import { slice } from '../src/ops/movement.ts'
import { batchNorm, groupNorm, layerNorm, moments, unitNorm } from '../src/ops/normalization.ts'
import { sum } from '../src/ops/reduction.ts'
import { localResponseNorm } from '../src/ops/window-sum.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string', default: String(availableParallelism()) },
    engine: { type: 'string', multiple: true, default: ['wasm', 'native'] },
    only: { type: 'string' },
    shape: { type: 'string', default: '[64,28,28,64]' },
    profile: { type: 'boolean', default: false },
    peer: { type: 'boolean', default: false },
  },
})
const shape = JSON.parse(flags.shape) as Shape
const channels = shape[shape.length - 1]

type Norm = (x: Node, gamma: Node, beta: Node) => Node
const epsilon = 1e-5
const norms: Readonly<Record<string, Norm>> = {
  'plain pass': (x) => add(mul(x, 2), 1),
  'batch norm': (x, gamma, beta) =>
    batchNorm(x, { ...moments(x, { axes: shape.slice(1).map((_, axis) => axis) }), gamma, beta, epsilon }),
  'layer norm': (x, gamma, beta) => layerNorm(x, { gamma, beta, epsilon }),
  'group norm, 8 groups': (x, gamma, beta) => groupNorm(x, { groups: 8, gamma, beta, epsilon }),
  'instance norm': (x, gamma, beta) => groupNorm(x, { groups: channels, gamma, beta, epsilon }),
  'unit norm': (x) => unitNorm(x),
  'local response': (x) => localResponseNorm(x, { size: 5, alpha: 1e-4, beta: 0.75, k: 2 }),
}
/** Tensors of this size that must be moved: x and y; back x or y, dy and dx (a plain pass: dy and dx). */
const LEAST = { forwards: 2, back: 3 }

const results: Record<string, Record<string, string>> = {}
const bytes = 4 * sizeOf(shape)
const said = (ms: number, tensors: number): string =>
  `${ms.toFixed(2)} ms, ${((tensors * bytes) / ms / 1e6).toFixed(1)} GB/s`

for (const name of flags.engine as EngineName[]) {
  const engine = await openEngine({ engine: name, threads: Number(flags.threads) })
  const state = new State(engine)
  const filled = async (name: string, shape: Shape, at = 0): Promise<Node> => {
    const value = (_: unknown, i: number) => ((i * 7919 + at) % 1024) / 512 - 1
    await state.add(name, { shape, dtype: 'float32' }, () => Float32Array.from({ length: sizeOf(shape) }, value))
    return variable(name, shape)
  }
  const [x, dy] = [await filled('x', shape), await filled('dy', shape, 3)]
  const [gamma, beta, y, dx] = [await filled('gamma', [channels]), await filled('beta', [channels]), await filled('y', shape), await filled('dx', shape)] // biome-ignore format: a line
  const [dgamma, dbeta] = [await filled('dgamma', [channels]), await filled('dbeta', [channels])]
  for (const [what, norm] of Object.entries(norms)) {
    if (flags.only && !what.includes(flags.only)) continue
    const made = norm(x, gamma, beta)
    const [forX, forGamma, forBeta] = gradients(sum(mul(made, dy)), [x, gamma, beta])
    // results stay in the engine
    const isAffine = what !== 'plain pass' && what !== 'unit norm' && what !== 'local response'
    const back = [[dx, forX] as const, ...(isAffine ? [[dgamma, forGamma] as const, [dbeta, forBeta] as const] : [])]
    const one = (node: Node) => slice(node, { begin: node.shape.map(() => 0), size: node.shape.map(() => 1) })
    const programs = {
      forwards: compile(state, { outputs: { one: one(gamma) }, updates: [[y, made]] }),
      'forwards and back': compile(state, { outputs: { one: one(gamma) }, updates: [[y, made], ...back] }),
    }
    for (const [way, program] of Object.entries(programs)) {
      const times: number[] = []
      if (flags.profile) console.log(`${what}, ${way}\n${program.print()}`)
      for (let round = 0; round < Number(flags.rounds) + 3; round++) {
        const start = performance.now()
        await program.run({})
        if (round >= 3) times.push(performance.now() - start)
      }
      if (flags.profile && name === 'native') {
        await program.profile()
        for (let i = 0; i < 10; i++) await program.run({})
        console.table((await program.profile())?.map(({ name, seconds }) => ({ name, us: Math.round(seconds * 1e5) })))
      }
      const tensors =
        way === 'forwards' ? LEAST.forwards : LEAST.forwards + (isAffine || what !== 'plain pass' ? LEAST.back : 2)
      const row = (results[`${what}, ${way}`] ??= {})
      row[name] = said(Math.min(...times), tensors)
      program.close()
    }
  }
  state.close()
  await engine.close()
}

if (flags.peer) {
  const file = fileURLToPath(new URL('./peers/norms.py', import.meta.url))
  const { stdout, stderr } = spawnSync('/usr/bin/python3', [file, flags.shape, flags.threads, flags.rounds], { encoding: 'utf8' }) // biome-ignore format: a line
  if (!stdout) console.error(stderr)
  for (const [what, ms] of Object.entries(JSON.parse(stdout || '{}') as Record<string, number>)) {
    const tensors = what.endsWith('back') ? (what.startsWith('plain') ? 4 : 5) : 2
    if (results[what]) results[what]['PyTorch'] = said(ms, tensors)
  }
}
console.table(results)
