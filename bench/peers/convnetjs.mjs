// node bench/peers/convnetjs.mjs <threads>: ConvNetJS takes part. It works on one image at a time, in float64, on one
// thread, and has no Adam: its training step is SGD with momentum.
import { readFileSync } from 'node:fs'
import convnetjs from 'convnetjs'
import { pixelAt } from '../protocol.ts'
import { serve } from '../serve.ts'

const activation = ({ activation }) => (activation === 'linear' ? {} : { activation })

/** Its words for our layers; undefined for what it does by itself. A word that it lacks is its own error. */
const rows = {
  conv2d: ({ options, window: { size, strides, pads } }) => ({
    type: 'conv',
    sx: size[0],
    filters: options.filters,
    stride: strides[0],
    pad: pads[0][0],
    ...activation(options),
  }),
  maxPooling2d: ({ window: { size, strides } }) => ({ type: 'pool', sx: size[0], stride: strides[0] }),
  flatten: () => undefined,
  dropout: ({ options }) => ({ type: 'dropout', drop_prob: options.rate }),
  dense: ({ options }) => ({ type: 'fc', num_neurons: options.units, ...activation(options) }),
}

function netOf(task) {
  const [height, width, channels] = task.layers[0].shape
  const defs = [{ type: 'input', out_sx: width, out_sy: height, out_depth: channels }]
  for (const layer of task.layers.slice(1)) {
    const def = layer.type in rows ? rows[layer.type](layer) : { type: layer.type }
    if (def) defs.push(def)
  }
  const last = defs.pop() // its softmax brings the dense layer before it along
  defs.push({ type: 'softmax', num_classes: last.num_neurons })
  const said = []
  const log = console.log
  console.log = (words) => said.push(words)
  const net = new convnetjs.Net()
  try {
    net.makeLayers(defs)
  } catch (error) {
    said.push(error.message)
  } finally {
    console.log = log
  }
  if (said.length > 0) throw new Error(said.join('; '))
  return net
}

/** Kernels [h, w, in, out] and [in, out] become one volume per filter; Vol is [y, x, channel] as our images are. */
function fill(net, task) {
  const bytes = readFileSync(task.weightsFile)
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const places = task.layers.filter(({ weights }) => 'kernel' in weights)
  const filled = net.layers.filter(({ filters }) => filters)
  for (const [i, { filters, biases }] of filled.entries()) {
    const { kernel, bias } = places[i].weights
    for (const [f, { w }] of filters.entries()) {
      for (let j = 0; j < w.length; j++) w[j] = floats[kernel.at + j * filters.length + f]
      biases.w[f] = floats[bias.at + f]
    }
  }
  return filled.map(({ filters, biases }) => filters.reduce((sum, { w }) => sum + w.length, biases.w.length))
}

function prepare(task) {
  const net = netOf(task)
  const parameters = fill(net, task)
  const [height, width, channels] = task.layers[0].shape
  const size = height * width * channels
  const images = Array.from({ length: task.batchSize }, (_, n) => {
    const image = new convnetjs.Vol(width, height, channels, 0)
    for (let i = 0; i < size; i++) image.w[i] = pixelAt(n * size + i) / 255
    return image
  })
  const trainer = new convnetjs.Trainer(net, {
    method: 'sgd',
    learning_rate: 1e-6,
    momentum: 0.9,
    batch_size: task.batchSize,
  })
  const train = () => {
    for (const [n, image] of images.entries()) trainer.train(image, n % 10)
  }
  const predict = () => images.map((image) => Array.from(net.forward(image).w))
  return {
    ways: task.mode === 'train' ? { 'SGD with momentum': train } : { 'as it is': predict },
    parameters,
    answer: () => predict().flat(),
  }
}

const { version } = JSON.parse(readFileSync(new URL('../node_modules/convnetjs/package.json', import.meta.url), 'utf8'))
await serve({ hello: { name: 'ConvNetJS', version, threads: 1 }, prepare })
