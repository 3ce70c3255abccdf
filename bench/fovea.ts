/** node bench/fovea.ts <threads> <engine>: one of our engines takes part. See protocol.ts. */
import { readFileSync } from 'node:fs'
import type { Numbers } from '../src/compile/engine.ts'
import type { Program } from '../src/compile/program.ts'
import type { EngineName } from '../src/engines/index.ts'
import { openEngine } from '../src/engines/index.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { datasets } from '../src/index.ts'
import { predictionGoals, trainingGoals, trainingSpecs } from '../src/model/graphs.ts'
import { objectiveFor } from '../src/model/objective.ts'
import { Session } from '../src/model/session.ts'
import { settleOptimizer } from '../src/nn/optimizers.ts'
import { insights } from './insights.ts'
import { parametersOf, plainLayers } from './plain-network.ts'
import type { Answered, Asked, Hello, Precision, Task } from './protocol.ts'
import { pixelAt } from './protocol.ts'
import { flopsOf } from './roofline.ts'
import type { Ready } from './serve.ts'
import { serve } from './serve.ts'
import { workloads } from './workloads.ts'

const threads = Number(process.argv[2])
const name = process.argv[3] as EngineName

/** The choice of engine, as `fit` takes it. */
const choice = (precision: Precision) => ({ engine: name, threads, precision })

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
async function open({ workload, mode, batchSize, precision }: Task) {
  const { network } = workloads[workload].make()
  const [[inputName, shape]] = Object.entries(network.inputs)
  const [outputName] = Object.keys(network.outputs)
  const start = performance.now()
  const engine = openEngine({ engine: name, threads })
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

async function first(task: Task): Promise<Ready> {
  const { engine, run } = await open(task)
  return { ways: { 'as it is': run }, parameters: [], inFlight: 2, release: () => engine.close() }
}

async function prepare(task: Task): Promise<Ready> {
  const { network, engine, program, run, answer, compileMs, firstStepMs } = await open(task)
  const { peak, profile } = insights[name] ?? {}
  return {
    ways: { 'as it is': run },
    parameters: parametersOf(plainLayers(network)),
    facts: {
      runsOn: engine.description,
      flopsPerImage: flopsOf(program.steps) / task.batchSize,
      peakBytes: program.memory.peakBytes,
      compileMs,
      firstStepMs,
    },
    inFlight: task.mode === 'train' ? 2 : 1, // as `fit`; a prediction is awaited
    answer,
    peak: peak && (await warm(peak(engine, task.precision))),
    profile: profile && (() => profile(program, run)),
    release: () => engine.close(),
  }
}

async function warm(peak: () => Promise<number>): Promise<() => Promise<number>> {
  for (let run = 0; run < 3; run++) await peak()
  return peak
}

/** MNIST from its files, trained on as anybody would: `fit`, with its data pipeline and metrics. */
async function epochs({ task, folder, epochs }: Asked['epochs']): Promise<Answered['epochs']> {
  const start = performance.now()
  const { train } = await datasets.mnist({ dataDir: folder })
  const readSeconds = (performance.now() - start) / 1000
  const model = workloads[task.workload].make()
  const seconds: number[] = []
  const { history } = await model.fit(train, {
    ...choice(task.precision),
    epochs,
    batchSize: task.batchSize,
    callbacks: [{ onEpochEnd: (record) => void seconds.push(record.seconds) }],
  })
  return { readSeconds, seconds, accuracy: history['accuracy'][epochs - 1] }
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Hello
await serve({ hello: { name: 'fovea', version, threads }, prepare, first, epochs })
