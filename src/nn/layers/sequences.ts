/** Layers for sequences [time, ...]: the time steps of a sample are its first axis. */
import { FoveaError } from '../../base/errors.ts'
import { custom, integer, number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import type { Shape } from '../../graph/shape.ts'
import { shapeText } from '../../graph/shape.ts'
import { broadcastTo, reshape } from '../../ops/broadcasting.ts'
import { equal, mul, sub } from '../../ops/elementwise.ts'
import { max, sum } from '../../ops/reduction.ts'
import type { ForwardContext } from '../layer.ts'
import { defineLayer, forwarded, isLayer, weightsOf } from '../layer.ts'

/** [features] at each of n time steps: [n, features]. */
export const repeatVector = defineLayer('repeatVector', {
  className: 'RepeatVector',
  says: 'The features of a sample, repeated at n time steps.',
  options: { n: integer({ says: 'how many time steps', min: 1 }) },
  forward: ([x], _, { n }) => {
    if (x.shape.length !== 2) {
      const hint = 'put flatten() before it'
      throw new FoveaError('E_SHAPE', { what: 'needs [features]', got: shapeText(x.shape.slice(1)), hint })
    }
    const [samples, features] = x.shape
    return broadcastTo(reshape(x, { shape: [samples, 1, features] }), { shape: [samples, n, features] })
  },
})

/**
 * Time steps whose features (the last axis) all equal `maskValue`, as float32, become 0. The layers behind it see zeros there, and
 * count them: a mean over time divides by all time steps, and a loss judges all of them. Keras also tells some layers behind it
 * which steps to leave out.
 */
export const masking = defineLayer('masking', {
  className: 'Masking',
  countsUnbuilt: true,
  says: 'Time steps whose features all equal maskValue become 0.',
  options: { maskValue: number({ says: 'the value', default: 0 }) },
  forward: ([x], _, { maskValue }) => {
    if (x.shape.length < 3) {
      throw new FoveaError('E_SHAPE', { what: 'needs [time, features]', got: shapeText(x.shape.slice(1)) })
    }
    const differs = sub(1, equal(x, Math.fround(maskValue)))
    return mul(x, max(differs, { axes: [-1], keepDims: true }))
  },
})

const inner = custom({
  says: 'what every time step goes through',
  accepts: 'a layer, as in layers.dense({ units: 8 })',
  check: (value) => (isLayer(value) ? value : undefined),
})

/** A step of [time, ...]; samples without time are refused. */
function stepOf(sample: Shape): Shape {
  if (sample.length > 0) return sample.slice(1)
  throw new FoveaError('E_SHAPE', { what: 'needs samples [time, ...]', got: '[]' })
}

/** Draws for [n * time, ...] are those of samples [n, time, ...]: they do not depend on the size of a batch. */
const unfolding =
  (draw: ForwardContext['draw'], [n, time]: Shape): ForwardContext['draw'] =>
  (options) => {
    const [first, ...rest] = options.shape
    if (first !== n * time) return draw(options)
    return reshape(draw({ ...options, shape: [n, time, ...rest] }), { shape: options.shape })
  }

/**
 * Every time step of [time, ...] through one layer, with one set of weights, which have the names that the layer gives them. Time
 * is folded into the batch: [n, time, ...] is [n * time, ...] for the layer, so that a batchNormalization takes its moments
 * over samples and time steps, and a dropout draws for each step. The weights belong to this layer, and so does `trainable`: the
 * layer in the options only says what is done.
 */
export const timeDistributed = defineLayer('timeDistributed', {
  className: 'TimeDistributed',
  says: 'Every time step, which are the first axis of a sample, through one layer.',
  options: { layer: inner },
  nests: 'layer',
  conflict: ({ layer }) => {
    if (layer.row.inputs === 'several') return { what: "'layer' takes several tensors", got: layer.type }
    const hint = 'timeDistributed({ layer, trainable: false }) freezes its weights'
    return layer.trainable ? undefined : { what: "'layer' is frozen by itself", hint }
  },
  weights: ({ layer }, sample) => weightsOf(layer, [stepOf(sample)]),
  forward: ([x], weights, { layer }, context) => {
    const [n, time] = x.shape
    const folded = reshape(x, { shape: [n * time, ...stepOf(x.shape.slice(1))] })
    const { output, preactivation, updates, penalty } = forwarded(layer, [folded], weights, {
      ...context,
      draw: unfolding(context.draw, x.shape),
    })
    if (output.shape[0] !== n * time) {
      const facts = { expected: `[${n * time}, ...]`, got: shapeText(output.shape) }
      throw new FoveaError('E_SHAPE', { what: `${layer.type} mixes time steps`, ...facts })
    }
    const unfolded = (y: Node): Node => reshape(y, { shape: [n, time, ...y.shape.slice(1)] })
    const together = penalty && { penalty: sum(reshape(penalty, { shape: [n, time] }), { axes: [1] }) }
    return { output: unfolded(output), preactivation: unfolded(preactivation), updates, ...together }
  },
})
