/** A layer alone, ready to be run again and again: what is large stays in the engine. */
import { compile } from '../src/compile/program.ts'
import { State } from '../src/compile/state.ts'
import type { EngineName } from '../src/engines/index.ts'
import { openEngine } from '../src/engines/index.ts'
import type { Node } from '../src/graph/node.ts'
import { input as inputNode, variable } from '../src/graph/node.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { drawer } from '../src/nn/draws.ts'
import type { ForwardContext } from '../src/nn/layer.ts'
import { forwarded } from '../src/nn/layer.ts'
import { mul } from '../src/ops/elementwise.ts'
import { gradients } from '../src/ops/gradient.ts'
import { slice } from '../src/ops/movement.ts'
import { sum } from '../src/ops/reduction.ts'
import { layerParts } from './layers.ts'
import type { Mode, PlainRow } from './protocol.ts'
import { COMPARED, valueAt } from './protocol.ts'
import type { Ready } from './serve.ts'

/** Norms by the numbers of the batch and noise, as in training. */
const context: ForwardContext = {
  mode: 'train',
  isTrainable: true,
  draw: drawer(inputNode('key', [4], 'int32'), () => 0),
}
/** Kernels of an engine may be compiled anew in the first runs. */
const WARM = 3

export async function openLayer(
  { part, name, shapes, weights, draws }: PlainRow,
  mode: Mode,
  choice: { readonly engine: EngineName; readonly threads: number },
): Promise<Ready> {
  const engine = await openEngine(choice)
  const state = new State(engine)
  const made: Node[] = []
  const filled = async (name: string, shape: Shape): Promise<Node> => {
    const tensor = made.length
    const values = () => Float32Array.from({ length: sizeOf(shape) }, (_, i) => valueAt(i, tensor))
    await state.add(name, { shape, dtype: 'float32' }, values)
    made.push(variable(name, shape))
    return made[tensor]
  }
  const inputs: Node[] = []
  for (const [i, shape] of shapes.entries()) inputs.push(await filled(`x${i}`, shape))
  const own: Record<string, Node> = {}
  for (const [name, { shape }] of Object.entries(weights)) own[name] = await filled(name, shape)
  const { layer } = layerParts[part][name]
  const { output, updates } = forwarded(layer, inputs as [Node, ...Node[]], own, context)
  const y = await filled('y', output.shape)
  const kept: (readonly [Node, Node])[] = [[y, output]]
  for (const [name, next] of Object.entries(updates)) if (next) kept.push([own[name], next])
  if (mode === 'train') {
    const dy = await filled('dy', output.shape)
    const trained = Object.keys(weights).filter((name) => weights[name].trained)
    const flows = gradients(sum(mul(output, dy)), [...inputs, ...trained.map((name) => own[name])])
    for (const [i, flow] of flows.entries()) kept.push([await filled(`d${i}`, flow.shape), flow])
  }
  const one = slice(inputs[0], { begin: inputs[0].shape.map(() => 0), size: inputs[0].shape.map(() => 1) })
  const program = compile(state, { outputs: { one }, updates: kept })
  const given = draws ? { key: Int32Array.of(1, 0, 2, 0) } : {}
  const run = () => program.run(given)
  for (let i = 0; i < WARM; i++) await run()
  return {
    ways: { 'as it is': run },
    parameters: [],
    answer: async () => (await state.read('y')).subarray(0, COMPARED),
    release: () => engine.close(),
  }
}
