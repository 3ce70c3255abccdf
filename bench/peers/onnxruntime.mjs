// node bench/peers/onnxruntime.mjs <threads> onnxruntime-node|onnxruntime-web: ONNX Runtime takes part, with predictions.
import { readFileSync } from 'node:fs'
import { pixelAt } from '../protocol.ts'
import { serve } from '../serve.ts'

const threads = Number(process.argv[2])
const name = process.argv[3]
const { default: ort } = await import(name)
const isWeb = name === 'onnxruntime-web'
if (isWeb) ort.env.wasm.numThreads = threads

/** Images as [n, c, h, w]. */
function planes({ batchSize, layers: [{ shape }] }) {
  const [height, width, channels] = shape
  const size = height * width * channels
  return Float32Array.from({ length: batchSize * size }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width) % height]
    const [c, n] = [Math.floor(i / (width * height)) % channels, Math.floor(i / size)]
    return pixelAt(((n * height + y) * width + x) * channels + c) / 255
  })
}

async function prepare(task) {
  const [height, width, channels] = task.layers[0].shape
  const x = new ort.Tensor('float32', planes(task), [task.batchSize, channels, height, width])
  const model = new Uint8Array(readFileSync(task.onnxFile))
  const sessionWith = (extra) =>
    ort.InferenceSession.create(model, {
      executionProviders: [isWeb ? 'wasm' : 'cpu'],
      graphOptimizationLevel: 'all',
      executionMode: 'sequential',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      ...extra,
    })
  const extras = isWeb
    ? { 'as it is': {} }
    : {
        'threads spin': {},
        'threads sleep': { extra: { session: { intra_op: { allow_spinning: '0' } } } },
      }
  const sessions = []
  const ways = {}
  for (const [setting, extra] of Object.entries(extras)) {
    const session = await sessionWith(extra)
    sessions.push(session)
    ways[setting] = async () => (await session.run({ x })).y.data
  }
  return {
    ways,
    parameters: [],
    answer: (setting) => ways[setting](),
    release: () => Promise.all(sessions.map((session) => session.release())),
  }
}

const { version } = JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'))
await serve({ hello: { name, version, threads }, prepare })
