/** node bench/fovea.ts <threads> <engine>: one of our engines takes part. See protocol.ts. */
import { readFileSync } from 'node:fs'
import type { EngineName } from '../src/engines/index.ts'
import { datasets } from '../src/index.ts'
import { insights } from './insights.ts'
import type { LowLevel } from './low-level.ts'
import { parametersOf, plainLayers } from './plain-network.ts'
import type { Answered, Asked, Hello, Precision, Task } from './protocol.ts'
import { flopsOf } from './roofline.ts'
import type { Ready } from './serve.ts'
import { serve } from './serve.ts'
import { openStep } from './step.ts'
import { workloads } from './workloads.ts'

const threads = Number(process.argv[2])
const name = process.argv[3] as EngineName

/** The choice of engine, as `fit` takes it. */
const choice = (precision: Precision) => ({ engine: name, threads, precision })

async function first(task: Task): Promise<Ready> {
  const { engine, run } = await openStep(task, name)
  return { ways: { 'as it is': run }, parameters: [], inFlight: 2, release: () => engine.close() }
}

async function prepare(task: Task): Promise<Ready> {
  if (task.row) return (await import('./layer-step.ts')).openLayer(task.row, task.mode, { engine: name, threads })
  const { network, engine, program, run, answer, compileMs, firstStepMs } = await openStep(task, name)
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

let open: LowLevel | undefined
async function lowLevel({ first }: Asked['lowLevel']): Promise<Answered['lowLevel']> {
  open ??= await (await import('./low-level.ts')).openLowLevel(choice('float32'))
  return open(first)
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Hello
await serve({ hello: { name: 'fovea', version, threads }, prepare, first, epochs, lowLevel })
