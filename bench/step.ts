/** A training step or a prediction of one of our engines, ready to be run again and again. */
import type { Numbers } from '../src/compile/engine.ts'
import type { Program } from '../src/compile/program.ts'
import type { EngineName } from '../src/engines/index.ts'
import { openEngine } from '../src/engines/index.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { predictionGoals, trainingGoals, trainingSpecs } from '../src/network/graphs.ts'
import { objectiveFor } from '../src/network/objective.ts'
import { Session } from '../src/network/session.ts'
import { settleOptimizer } from '../src/nn/optimizers.ts'
import type { Task } from './protocol.ts'
import { pixelAt } from './protocol.ts'
import { workloads } from './workloads.ts'

/** Inputs of a program: training takes bytes, as data sets give them, prediction float32. */
function inputsFor(program: Program): Record<string, Numbers> {
  return Object.fromEntries(
    Object.entries(program.inputs).map(([name, { shape, dtype }]) => {
      const size = sizeOf(shape)
      if (dtype === 'uint8') return [name, Uint8Array.from({ length: size }, (_, i) => pixelAt(i))]
      if (dtype === 'int32') return [name, Int32Array.from({ length: size }, (_, i) => i % 10)]
      if (name.startsWith('input/')) return [name, Float32Array.from({ length: size }, (_, i) => pixelAt(i) / 255)]
      return [name, new Float32Array(size).fill(name.startsWith('rate/') ? 1e-6 : 1)]
    }),
  )
}

/** An engine of its own for every task: the time from graph to first step includes its workers. That step is taken. */
export async function openStep(
  {
    workload,
    mode,
    batchSize,
    precision,
    threads,
  }: Pick<Task, 'workload' | 'mode' | 'batchSize' | 'precision' | 'threads'>,
  name: EngineName,
) {
  const { network } = workloads[workload].make()
  const [[inputName, shape]] = Object.entries(network.inputs)
  const [outputName] = Object.keys(network.outputs)
  const start = performance.now()
  const engine = await openEngine({ engine: name, threads })
  try {
    if (!engine.precisions.includes(precision)) throw new Error(`${name} has no ${precision}`)
    const session = (await Session.open(network, engine, 0)).as(network, precision)
    const program = await (mode === 'train' ? trainer(session, shape, batchSize) : predictor())
    const compileMs = performance.now() - start
    const inputs = inputsFor(program)
    await program.run(inputs)
    const firstStepMs = performance.now() - start - compileMs
    const run = () => program.run(inputs)
    return { network, engine, program, run, answer: async () => (await run())[outputName], compileMs, firstStepMs }

    function predictor(): Promise<Program> {
      const batch = { size: batchSize, inputs: { image: { shape, dtype: 'float32' } } } as const
      return session.program('predict', () =>
        predictionGoals(network, { [inputName]: 'image' }, { [outputName]: 'softmax' }, batch),
      )
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function trainer(session: Session, shape: Shape, size: number): Promise<Program> {
  const { network } = session
  const fields = {
    inputs: { image: { shape, dtype: 'uint8' } },
    targets: { label: { shape: [], dtype: 'int32' } },
  } as const
  const objective = objectiveFor(network, { name: 'bench', ...fields })
  const optimizer = settleOptimizer('adam')
  await session.addFilled(trainingSpecs(network, optimizer))
  return session.program('train', () => trainingGoals(network, objective, { size, ...fields }, optimizer))
}
