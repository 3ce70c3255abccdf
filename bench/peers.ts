/**
 * npm run bench:peers [-- --json] [--rounds n] [--threads n] [--workload name]: predictions beside onnxruntime-web's wasm backend on
 * as many threads, with the same weights, in turns. Every answer is awaited before the next question is asked. The
 * answers are compared first.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { openEngine } from '../src/engines/index.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { predictionGoals } from '../src/model/graphs.ts'
import { Session } from '../src/model/session.ts'
import { imagesPerSecond, median } from './measure.ts'
import { toOnnx } from './onnx.ts'
import { workloads } from './workloads.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string', default: String(availableParallelism()) },
    workload: { type: 'string', multiple: true, default: Object.keys(workloads) },
  },
})
const threads = Number(flags.threads)

/** The part of onnxruntime-web that is used here; its own types are there only once it is installed. */
interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads: number; simd: boolean } }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => { readonly data: unknown }
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{
      run(feeds: object): Promise<Record<string, { readonly data: Float32Array }>>
    }>
  }
}

const PEER = 'onnxruntime-web'
const versionIn = (path: string, read: (json: Record<string, never>) => string): string | undefined => {
  try {
    return read(JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')))
  } catch {
    return undefined
  }
}
const wanted = versionIn('package.json', ({ dependencies }) => dependencies[PEER])
if (versionIn(`node_modules/${PEER}/package.json`, ({ version }) => version) !== wanted) {
  console.error(`bench: installing ${PEER} ${wanted}`)
  execFileSync('npm', ['ci', '--ignore-scripts', '--prefix', import.meta.dirname], {
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
}
const peer = (await import(PEER)) as OnnxRuntime
peer.env.wasm.numThreads = threads
peer.env.wasm.simd = true

const engine = openEngine({ engine: 'wasm', threads })

/** Both ways to predict with one network, at one batch size. */
async function prepare(workload: string, batchSize: number) {
  const { network } = workloads[workload]()
  const [[inputName, shape]] = Object.entries(network.inputs)
  const [outputName] = Object.keys(network.outputs)
  const session = await Session.open(network, engine, 0)
  const batch = { size: batchSize, inputs: { image: { shape, dtype: 'float32' } } } as const
  const program = await session.program('predict', () =>
    predictionGoals(network, { [inputName]: 'image' }, { [outputName]: 'softmax' }, batch),
  )
  const images = Float32Array.from({ length: batchSize * sizeOf(shape) }, (_, i) => ((i * 7919) % 256) / 255)
  const model = toOnnx(network, await session.values(), batchSize)
  const theirs = await peer.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  })
  const [height, width, channels] = shape
  const planes = Float32Array.from(images, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width) % height]
    const [c, n] = [Math.floor(i / (width * height)) % channels, Math.floor(i / sizeOf(shape))]
    return images[((n * height + y) * width + x) * channels + c]
  })
  const x = new peer.Tensor('float32', planes, [batchSize, channels, height, width])
  const runs = {
    ours: async () => (await program.run({ 'input/image': images }))[outputName],
    theirs: async () => (await theirs.run({ x }))['y'].data,
  }
  const [a, b] = [await runs.ours(), await runs.theirs()]
  const difference = Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])))
  if (!(difference < 1e-4)) throw new Error(`${workload}: the answers differ by ${difference}`)
  return { workload, batchSize, runs, difference, ours: [] as number[], theirs: [] as number[] }
}

const benches: Awaited<ReturnType<typeof prepare>>[] = []
for (const workload of flags.workload) for (const size of [1, 128]) benches.push(await prepare(workload, size))
for (let round = 0; round < Number(flags.rounds) + 1; round++) {
  for (const bench of benches) {
    for (const who of round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) {
      const speed = await imagesPerSecond(bench.runs[who], bench.batchSize, { inFlight: 1 })
      if (round > 0) bench[who].push(speed) // the first round warms both up
    }
  }
}
const results = benches.map(({ workload, batchSize, difference, ours, theirs }) => ({
  workload,
  batchSize,
  ours: median(ours),
  theirs: median(theirs),
  ratio: median(ours.map((speed, i) => speed / theirs[i])),
  difference,
}))
const machine = { cpu: cpus()[0].model, cores: availableParallelism(), node: process.version, threads }
if (flags.json) console.log(JSON.stringify({ machine, peer: `${PEER} ${wanted}`, results }))
else {
  console.log(`${machine.cpu}, Node ${machine.node}, ${threads} threads; ${PEER} ${wanted}`)
  console.table(
    results.map(({ workload, batchSize, ours, theirs, ratio, difference }) => ({
      workload,
      batch: batchSize,
      'ours, images/s': Math.round(ours),
      'theirs, images/s': Math.round(theirs),
      ratio: ratio.toFixed(2),
      'answers differ by at most': difference.toExponential(1),
    })),
  )
}
await engine.close()
process.exit() // their workers are never released
