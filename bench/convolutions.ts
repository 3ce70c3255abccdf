/** npm run -s node -- bench/convolutions.ts [--threads n] [--rounds n]: convolutions one by one, forwards and both gradients. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { compile } from '../src/compile/program.ts'
import { State } from '../src/compile/state.ts'
import { openEngine } from '../src/engines/index.ts'
import { variable } from '../src/graph/node.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { convolution, convolutionInputGradient, convolutionKernelGradient } from '../src/ops/convolution.ts'
import { slice } from '../src/ops/movement.ts'
import { median } from './measure.ts'
import { peakOf } from './peak.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})

const shapes: readonly { name: string; x: Shape; kernel: Shape; stride: number; groups?: number }[] = [
  { name: 'depthwise 3x3', x: [32, 56, 56, 64], kernel: [3, 3, 1, 64], stride: 1, groups: 64 },
  { name: 'depthwise 3x3 stride 2', x: [32, 56, 56, 64], kernel: [3, 3, 1, 64], stride: 2, groups: 64 },
  { name: 'depthwise 3x3, 7 x 7 x 512', x: [32, 7, 7, 512], kernel: [3, 3, 1, 512], stride: 1, groups: 512 },
  { name: '3x3 stride 2', x: [128, 32, 32, 32], kernel: [3, 3, 32, 64], stride: 2 },
  { name: '1x1 stride 2', x: [128, 32, 32, 32], kernel: [1, 1, 32, 64], stride: 2 },
  { name: 'stem 7x7 stride 2', x: [8, 112, 112, 3], kernel: [7, 7, 3, 64], stride: 2 },
  { name: '3x3', x: [128, 16, 16, 64], kernel: [3, 3, 64, 64], stride: 1 },
]

const engine = await openEngine({ engine: 'wasm', threads: Number(flags.threads) })
const peak = peakOf(engine)
for (let warm = 0; warm < 3; warm++) await peak()
const results: Record<string, Record<string, string>> = {}
for (const { name, x: input, kernel, stride, groups = 1 } of shapes) {
  const state = new State(engine)
  const filled = async (name: string, shape: Shape) => {
    await state.add(name, { shape, dtype: 'float32' }, () => new Float32Array(sizeOf(shape)).fill(0.01))
    return variable(name, shape)
  }
  const attrs = { strides: [stride, stride], dilation: [1, 1], padding: 'same', groups } as const
  const [x, k] = [await filled('x', input), await filled('kernel', kernel)]
  const y = convolution(x, k, attrs)
  const dy = await filled('dy', y.shape)
  const flops = (2 * sizeOf(y.shape) * sizeOf(kernel)) / kernel[3]
  const graphs = {
    forwards: y,
    'input gradient': convolutionInputGradient(dy, k, { ...attrs, inputShape: input }),
    'kernel gradient': convolutionKernelGradient(x, dy, { ...attrs, kernelShape: kernel }),
  }
  results[name] = {}
  for (const [what, node] of Object.entries(graphs)) {
    // what is large stays in the engine: one number comes back
    const one = slice(node, { begin: node.shape.map(() => 0), size: node.shape.map(() => 1) })
    const program = compile(state, { outputs: { one } })
    const shares: number[] = []
    const speeds: number[] = []
    for (let round = 0; round < Number(flags.rounds) + 2; round++) {
      const most = await peak()
      const start = performance.now()
      await program.run({})
      const speed = flops / ((performance.now() - start) / 1000)
      if (round < 2) continue // kernels are compiled anew while they run for the first times
      speeds.push(speed)
      shares.push(speed / most)
    }
    results[name][what] = `${(median(speeds) / 1e9).toFixed(1)} GFLOP/s, ${(100 * median(shares)).toFixed(0)} %`
    program.close()
  }
  state.close()
}
console.table(results)
await engine.close()
