// node bench/peers/tensorflow-js.mjs <threads> cpu|wasm: TensorFlow.js takes part. Plain JavaScript, as all peers' sides
// here: their types are there only once they are installed.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import tf from '@tensorflow/tfjs-core'
import layers from '@tensorflow/tfjs-layers'
import { pixelAt } from '../protocol.ts'
import { serve } from '../serve.ts'

const backend = process.argv[3]
await import(`@tensorflow/tfjs-backend-${backend}`)
if (backend === 'wasm') {
  const { setWasmPaths } = (await import('@tensorflow/tfjs-backend-wasm')).default
  setWasmPaths(fileURLToPath(new URL('../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url)))
}
await tf.setBackend(backend)

const makers = {
  conv2d: ({ options, window }) => [
    layers.layers.conv2d({
      filters: options.filters,
      kernelSize: window.size,
      strides: window.strides,
      padding: options.padding,
      useBias: options.useBias,
      activation: options.activation,
    }),
  ],
  batchNormalization: ({ options: { momentum, epsilon } }) => [layers.layers.batchNormalization({ momentum, epsilon })],
  activation: ({ options }) => [layers.layers.activation({ activation: options.activation })],
  add: () => [layers.layers.add()],
  maxPooling2d: ({ options, window }) => [
    layers.layers.maxPooling2d({ poolSize: window.size, strides: window.strides, padding: options.padding }),
  ],
  globalAveragePooling2d: () => [layers.layers.globalAveragePooling2d({})],
  flatten: () => [layers.layers.flatten()],
  dropout: ({ options }) => [layers.layers.dropout({ rate: options.rate })],
  dense: ({ options }) => [layers.layers.dense({ units: options.units, activation: options.activation })],
}

function modelOf(task) {
  const bytes = readFileSync(task.weightsFile)
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const image = layers.input({ shape: task.layers[0].shape })
  const values = [image]
  const filled = []
  for (const layer of task.layers.slice(1)) {
    const [made] = makers[layer.type](layer)
    const from = layer.inputs.map((i) => values[i])
    values.push(made.apply(from.length === 1 ? from[0] : from))
    const weights = Object.values(layer.weights)
    if (weights.length > 0) filled.push({ made, weights })
  }
  for (const { made, weights } of filled) {
    made.setWeights(
      weights.map(({ shape, at }) => tf.tensor(floats.slice(at, at + shape.reduce((a, b) => a * b, 1)), shape)),
    )
  }
  return layers.model({ inputs: image, outputs: values[values.length - 1] })
}

function prepare(task) {
  const model = modelOf(task)
  const shape = [task.batchSize, ...task.layers[0].shape]
  const pixels = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => pixelAt(i) / 255)
  const images = tf.tensor(pixels, shape)
  const labels = tf.tidy(() =>
    tf.oneHot(
      Array.from({ length: task.batchSize }, (_, i) => i % 10),
      10,
    ),
  )
  const parameters = model.layers
    .map(({ trainableWeights }) =>
      trainableWeights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    )
    .filter((count) => count > 0)
  if (task.mode === 'train') {
    const loss = (targets, logits) => tf.losses.softmaxCrossEntropy(targets, logits)
    model.compile({ optimizer: tf.train.adam(1e-6), loss })
  }
  const predict = async () => {
    const answer = tf.tidy(() => tf.softmax(model.predictOnBatch(images)))
    const values = await answer.data()
    answer.dispose()
    return values
  }
  return {
    ways: { 'as it is': task.mode === 'train' ? () => model.trainOnBatch(images, labels) : predict },
    parameters,
    answer: predict,
    release: () => tf.disposeVariables() ?? tf.dispose([images, labels]) ?? model.dispose(),
  }
}

await serve({
  hello: { name: `TensorFlow.js, ${backend}`, version: tf.version_core, threads: 1 },
  prepare,
})
