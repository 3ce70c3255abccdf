// node bench/peers/jax-js.mjs <threads>: jax-js takes part, everything within one jit. On its wasm backend; Node has no
// global Worker, without which it has one thread. An array is used up by every call that takes it: `.ref` keeps it.
import { readFileSync } from 'node:fs'
import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, random, valueAndGrad } from '@jax-js/jax'
import { pixelAt } from '../protocol.ts'
import { serve } from '../serve.ts'

await init('wasm')
defaultDevice('wasm')

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1)
const activated = (x, { activation }) => (activation === 'relu' ? nn.relu(x) : x)
/** One number per channel of [n, c, h, w]. */
const perChannel = (x) => x.reshape([1, -1, 1, 1])

/** From arrays [n, c, h, w] or [n, features] to the next one; `own` gives a weight, `next` takes a statistic's next value. */
const rows = {
  conv2d: ([x], { own, options, window, weights }) => {
    const y = lax.convGeneralDilated(x, own('kernel'), window.strides, window.pads)
    return activated('bias' in weights ? y.add(perChannel(own('bias'))) : y, options)
  },
  batchNormalization: ([x], { own, next, options: { epsilon, momentum }, isTraining }) => {
    const [oldMean, oldVariance] = [own('movingMean'), own('movingVariance')]
    const [mean, variance] = isTraining
      ? [np.mean(x.ref, [0, 2, 3]), np.var_(x.ref, [0, 2, 3])]
      : [oldMean, oldVariance]
    if (isTraining) {
      next('movingMean', oldMean.mul(momentum).add(mean.ref.mul(1 - momentum)))
      next('movingVariance', oldVariance.mul(momentum).add(variance.ref.mul(1 - momentum)))
    }
    const scale = own('gamma').div(np.sqrt(variance.add(epsilon)))
    const shift = own('beta').sub(mean.mul(scale.ref))
    return x.mul(perChannel(scale)).add(perChannel(shift))
  },
  activation: ([x], { options }) => activated(x, options),
  add: ([a, b]) => a.add(b),
  // windows of 2 x 2 that do not overlap: faster than reduceWindow
  maxPooling2d: ([x]) => {
    const [n, c, h, w] = x.shape
    return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5])
  },
  globalAveragePooling2d: ([x]) => np.mean(x, [2, 3]),
  flatten: ([x]) => np.transpose(x, [0, 2, 3, 1]).reshape([x.shape[0], -1]),
  dropout: ([x], { options: { rate }, isTraining, key }) =>
    isTraining ? x.mul(random.bernoulli(key(), 1 - rate, x.shape).astype(np.float32)).mul(1 / (1 - rate)) : x,
  dense: ([x], { own, options }) => activated(np.matmul(x, own('kernel')).add(own('bias')), options),
}

/** The network as a function of its trained weights, its statistics and images. */
function networkOf(task) {
  const bytes = readFileSync(task.weightsFile)
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const places = task.layers.flatMap(({ weights }, layer) =>
    Object.entries(weights).map(([name, weight]) => ({ key: `${layer}/${name}`, ...weight })),
  )
  const arrayOf = ({ shape, at }) => {
    const array = np.array(floats.slice(at, at + sizeOf(shape))).reshape(shape)
    return shape.length === 4 ? np.transpose(array, [3, 2, 0, 1]) : array
  }
  const [trained, statistics] = [true, false].map((is) => places.filter((place) => place.trained === is))

  function forward(weights, moving, images, seed) {
    const values = new Map([...trained, ...statistics].map(({ key }, i) => [key, [...weights, ...moving][i]]))
    const uses = task.layers.map((_, i) => task.layers.filter(({ inputs }) => inputs.includes(i)).length)
    const next = new Map()
    const made = [images]
    const taken = (i) => (--uses[i] > 0 ? made[i].ref : made[i])
    const isTraining = seed !== undefined
    for (const [i, layer] of task.layers.entries()) {
      if (i === 0) continue
      made[i] = rows[layer.type](layer.inputs.map(taken), {
        ...layer,
        isTraining,
        own: (name) => values.get(`${i}/${name}`),
        next: (name, value) => next.set(`${i}/${name}`, value),
        key: () => random.key(seed.ref.add(i)),
      })
    }
    seed?.dispose()
    return [made[made.length - 1], statistics.map(({ key }) => next.get(key))]
  }
  return { forward, weights: trained.map(arrayOf), statistics: statistics.map(arrayOf) }
}

/** Forward, backward and Adam; `numbers` are 1 / (1 - beta^t) of both moments. */
function stepOf(forward) {
  const lossOf = (weights, moving, images, targets, seed) => {
    const [logits, next] = forward(weights, moving, images, seed)
    return [np.mean(np.sum(nn.logSoftmax(logits).mul(targets), 1)).mul(-1), next]
  }
  return jit((weights, first, second, moving, images, targets, seed, numbers) => {
    const [[loss, next], slopes] = valueAndGrad(lossOf, { hasAux: true })(
      weights.map((w) => w.ref),
      moving,
      images,
      targets,
      seed,
    )
    const m = first.map((x, i) => x.mul(0.9).add(slopes[i].ref.mul(0.1)))
    const v = second.map((x, i) => x.mul(0.999).add(np.square(slopes[i]).mul(0.001)))
    const [forM, forV] = [numbers.ref.slice(0), numbers.slice(1)]
    const updated = weights.map((w, i) => {
      const root = np.sqrt(v[i].ref.mul(forV.ref)).add(1e-7)
      return w.sub(m[i].ref.mul(forM.ref).mul(1e-6).div(root))
    })
    forM.dispose()
    forV.dispose()
    return [updated, m, v, next, loss]
  })
}

function prepare(task) {
  const { forward, weights, statistics } = networkOf(task)
  const [height, width, channels] = task.layers[0].shape
  const shape = [task.batchSize, height, width, channels]
  const pixels = Float32Array.from({ length: sizeOf(shape) }, (_, i) => pixelAt(i) / 255)
  const images = np.transpose(np.array(pixels).reshape(shape), [0, 3, 1, 2])
  const parameters = task.layers
    .map((layer) =>
      Object.values(layer.weights).reduce((sum, { shape, trained }) => sum + (trained ? sizeOf(shape) : 0), 0),
    )
    .filter((count) => count > 0)
  const kept = (list) => list.map((x) => x.ref)
  if (task.mode === 'infer') {
    const probabilities = jit((weights, moving, images) => nn.softmax(forward(weights, moving, images)[0]))
    const predict = () => probabilities(kept(weights), kept(statistics), images.ref).data()
    return { ways: { 'as it is': predict }, parameters, answer: predict }
  }
  const labels = Float32Array.from({ length: task.batchSize * 10 }, (_, i) =>
    i % 10 === Math.floor(i / 10) % 10 ? 1 : 0,
  )
  const targets = np.array(labels).reshape([task.batchSize, 10])
  const zeros = () => weights.map((w) => np.zeros(w.shape))
  const step = stepOf(forward)
  let state = [weights, zeros(), zeros(), statistics]
  let t = 0
  const train = async () => {
    t++
    const numbers = np.array(Float32Array.of(1 / (1 - 0.9 ** t), 1 / (1 - 0.999 ** t)))
    const [w, m, v, moving, loss] = step(
      ...state,
      images.ref,
      targets.ref,
      np.array(new Int32Array([t])).reshape([]),
      numbers,
    )
    state = [w, m, v, moving]
    await blockUntilReady(state)
    return loss.data()
  }
  return { ways: { 'as it is': train }, parameters }
}

const { version } = JSON.parse(
  readFileSync(new URL('../node_modules/@jax-js/jax/package.json', import.meta.url), 'utf8'),
)
await serve({ hello: { name: 'jax-js', version, threads: 1 }, prepare })
