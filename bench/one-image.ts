/** npm run -s node -- bench/one-image.ts: where the time of one image of LeNet goes, each stage as a program of its own. */
import { compile } from '../src/compile/program.ts'
import { State } from '../src/compile/state.ts'
import { openEngine } from '../src/engines/index.ts'
import type { Node } from '../src/graph/node.ts'
import { input, variable } from '../src/graph/node.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { ops } from '../src/ops/public.ts'
import { median } from './measure.ts'

const engine = await openEngine({ engine: 'wasm', threads: 2 })
const state = new State(engine)

async function weight(shape: Shape): Promise<Node> {
  const name = shape.join()
  await state.add(name, { shape, dtype: 'float32' }, () => new Float32Array(sizeOf(shape)).fill(0.01))
  return variable(name, shape)
}
const same = { strides: [1, 1], dilation: [1, 1], padding: 'same', groups: 1 } as const
const convolution = async (shape: Shape, kernel: Shape): Promise<Node> =>
  ops.relu(ops.convolution(input('x', shape), await weight(kernel), same))
const pooling = (shape: Shape): Node =>
  ops.maxPool(input('x', shape), { window: [2, 2], strides: [2, 2], padding: 'valid' })
const dense = async (from: number, to: number): Promise<Node> =>
  ops.matmul(input('x', [1, from]), await weight([from, to]))

const stages: Record<string, Node> = {
  'the way there and back': ops.relu(input('x', [1, 16])),
  'convolution [28, 28, 1] by 5 x 5 to 20, relu': await convolution([1, 28, 28, 1], [5, 5, 1, 20]),
  'pooling [28, 28, 20]': pooling([1, 28, 28, 20]),
  'convolution [14, 14, 20] by 5 x 5 to 50, relu': await convolution([1, 14, 14, 20], [5, 5, 20, 50]),
  'pooling [14, 14, 50]': pooling([1, 14, 14, 50]),
  'dense 2450 to 500, relu': ops.relu(await dense(2450, 500)),
  'dense 500 to 10, softmax': ops.softmax(await dense(500, 10)),
}
const programs = Object.entries(stages).map(([name, y]) => {
  const program = compile(state, { outputs: { y } })
  const x = new Float32Array(sizeOf(program.inputs['x'].shape)).fill(0.5)
  return { name, run: () => program.run({ x }), rounds: [] as number[] }
})

const [WARM, ROUNDS, RUNS] = [3, 9, 150]
for (let round = 0; round < WARM + ROUNDS; round++) {
  for (const { run, rounds } of programs) {
    const times: number[] = []
    for (let i = 0; i < RUNS; i++) {
      const start = performance.now()
      await run()
      times.push((performance.now() - start) * 1000)
    }
    if (round >= WARM) rounds.push(median(times))
  }
}
const way = median(programs[0].rounds)
console.table(
  programs.map(({ name, rounds }, i) => ({ stage: name, us: Math.round(median(rounds) - (i === 0 ? 0 : way)) })),
)
await engine.close()
