/** What people get wrong at first: each is refused where it is made, and told the way out. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  callbacks,
  defineLayer,
  type ErrorCode,
  fromArrays,
  input,
  layers,
  Model,
  model,
  sequential,
  trainingControl,
  zoo,
} from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const { concatenate, dense } = layers
const x = Float32Array.of(0, 1, 1, 0, 1, 1, 0, 0)
const arrays = () => ({
  name: 'pairs',
  inputs: { pair: { shape: [2], data: x } },
  targets: { label: { shape: [], data: Int32Array.of(0, 1, 1, 0) } },
})
const data = fromArrays(arrays())
const fresh = (units = 2): Model => sequential({ inputShape: [2], engine: 'reference' }, [dense({ units })])
const unbuilt = (): Model => sequential({ engine: 'reference' }, [dense({ units: 3 })])
const before = input([2], { name: 'before' })
const after = input([2], { name: 'after' })
const two = model([before, after], dense({ units: 2 })(concatenate()(before, after)), { engine: 'reference' })
const net = fresh()
const named = (own: Model, classNames: readonly string[]): Model => Object.assign(own, { classNames })
function* generator() {
  yield [x, Int32Array.of(0, 1, 1, 0)] as const
}
async function* later() {
  yield* generator()
}
/** A call with what TypeScript would refuse. */
const any = (value: unknown): never => value as never
const layerOf = (forward: unknown, type = 'own') =>
  defineLayer(type, { className: 'Own', says: 'Mine.', options: {}, forward: any(forward) })
const weighted = (weights: unknown) =>
  defineLayer(
    'own',
    any({ className: 'Own', says: 'Mine.', options: {}, weights: () => weights, forward: any(Object) }),
  )
const custom = (own: object) => any({ ...data, ...own })
/** A stand-in for a signal of an abort, that lacks something. */
const halfSignal = (own: object) =>
  any({ aborted: false, addEventListener() {}, removeEventListener() {}, throwIfAborted() {}, ...own })

/** A layer that has weights of other names where it is used again. */
function shared(): Model {
  const weights = (_: unknown, [size]: readonly number[]) => ({
    [size === 2 ? 'w' : 'v']: { shape: [1], initializer: 'zeros' },
  })
  const own = defineLayer(
    'own',
    any({ className: 'Own', says: 'Mine.', options: {}, weights, forward: any(([y]: never[]) => y) }),
  )()
  const wide = input([3], { name: 'wide' })
  return model([before, wide], [own(before), own(wide)])
}

const rows: readonly (readonly [says: string, call: () => unknown, code: ErrorCode, ...words: string[]])[] = [
  ['evaluate a generator', () => net.evaluate(any(generator())), 'E_MISMATCH', 'got a Generator', 'for fit only'],
  ['evaluate a later one', () => net.evaluate(any(later())), 'E_MISMATCH', 'got an AsyncGenerator', 'for fit only'],
  ['predict a generator', () => net.predict(any(generator())), 'E_MISMATCH', 'got a Generator'],
  ['validate by one', () => net.fit(data, { validationData: any(generator()) }), 'E_MISMATCH', 'a Generator'],
  ['fit a promise', () => net.fit(any(Promise.resolve(data))), 'E_MISMATCH', 'a Promise', 'await it'],
  ['evaluate a promise', () => net.evaluate(any(Promise.resolve(data))), 'E_MISMATCH', 'a Promise', 'await it'],
  ['predict a promise', () => net.predict(any(Promise.resolve(data))), 'E_MISMATCH', 'a Promise', 'await it'],
  ['fit an uncalled generator', () => net.fit(any(generator), { stepsPerEpoch: 1 }), 'E_MISMATCH', 'call it'],
  ['fit(x, y)', () => net.fit(any(x), any(x)), 'E_MISMATCH', 'needs a dataset', 'fromArrays({'],
  ['fit([...], [...])', () => net.fit(any([1]), any([1])), 'E_MISMATCH', 'needs a dataset', 'fromArrays({'],
  ['evaluate(x, y)', () => net.evaluate(any(x), any(x)), 'E_MISMATCH', 'needs a dataset', 'fromArrays({'],
  ['no read', () => net.fit(custom({ read: undefined })), 'E_MISMATCH', "'read'"],
  ['a text as length', () => net.fit(custom({ length: '4' })), 'E_MISMATCH', "'length'", "got '4'"],
  [
    'float64',
    () => net.fit(custom({ inputs: { pair: { shape: [2], dtype: 'float64' } } })),
    'E_MISMATCH',
    "'inputs.pair.dtype'",
    "got 'float64'",
  ],
  ['preprocesing', () => fromArrays(any({ ...arrays(), preprocesing: {} })), 'E_DATA', "did you mean 'preprocessing'?"],
  ['clasNames', () => fromArrays(any({ ...arrays(), clasNames: [] })), 'E_DATA', "did you mean 'classNames'?"],
  ['modelCheckpoint to nowhere', () => callbacks.modelCheckpoint({ path: '' }), 'E_OPTION', "'path'", 'not empty'],
  ['csvLogger to nowhere', () => callbacks.csvLogger({ path: '' }), 'E_OPTION', "'path'", 'not empty'],
  ['jsonLogger to nowhere', () => callbacks.jsonLogger({ path: '' }), 'E_OPTION', "'path'", 'not empty'],
  ['two names for three classes', () => named(fresh(3), ['a', 'b']), 'E_MISMATCH', 'another number of outputs'],
  ['the same, wired later', () => named(unbuilt(), ['a', 'b']).build([2]), 'E_MISMATCH', 'another number of outputs'],
  ['the same, wired by fit', () => named(unbuilt(), ['a', 'b']).fit(data), 'E_MISMATCH', 'another number of outputs'],
  ['a forgotten return', () => layerOf(() => undefined)()(before), 'E_GRAPH', 'own', 'gives no node', 'return'],
  [
    'draw()',
    () => layerOf((_: unknown, __: unknown, ___: unknown, { draw }: { draw: () => unknown }) => draw())()(before),
    'E_SHAPE',
    'own',
  ],
  ["another 'dense'", () => layerOf(() => undefined, 'dense'), 'E_OPTION', "'dense' already"],
  ['a type that rings', () => layerOf(() => undefined, 'a\u0007'), 'E_OPTION', 'control characters'],
  [
    'trainable no',
    () => Object.assign(dense({ units: 1 }), { trainable: 'no' }),
    'E_OPTION',
    "'trainable'",
    "got 'no'",
  ],
  ['read without targets', () => data.read([0], any({ inputs: { pair: x } })), 'E_DATA', 'targets.label'],
  ['read into nothing', () => data.read([0], any({ inputs: {}, targets: {} })), 'E_DATA', 'inputs.pair'],
  ['top of sample 100', async () => (await net.predict(x)).top(2, 100), 'E_OPTION', '0 to 3', 'got 100'],
  ['afer', () => two.predict(any({ before: x, afer: x })), 'E_MISMATCH', "no input 'afer'", "did you mean 'after'?"],
  ['before alone', () => two.predict(any({ before: x })), 'E_MISMATCH', "the input 'after'"],
  ['clases', () => zoo.lenet(any({ clases: 3 })), 'E_OPTION', 'lenet: '],
  ...[null, 3, 'w', undefined, [], { w: null }, { w: undefined }, { w: { shape: 3, initializer: 'zeros' } }].map(
    (weights) =>
      [`weights: ${JSON.stringify(weights)}`, () => weighted(weights)()(before), 'E_GRAPH', 'weights of Own'] as const,
  ),
  ['weights of two uses', () => shared(), 'E_SHAPE', 'a shared layer would need another w', 'got none'],
  [
    'weights in a DataView',
    () => net.setWeights({ 'dense/kernel': any(new DataView(x.buffer)) }),
    'E_SHAPE',
    'DataView',
  ],
  [
    'weights of bigints',
    () => net.setWeights({ 'dense/kernel': any(new BigInt64Array(4)) }),
    'E_SHAPE',
    'BigInt64Array',
  ],
  ['identity: 3', () => net.fit(custom({ identity: 3 })), 'E_MISMATCH', "'identity'", 'a function'],
  ['describe: 3', () => net.fit(custom({ describe: 3 })), 'E_MISMATCH', "'describe'", 'a function'],
  ['transforms: 3', () => net.fit(custom({ transforms: 3 })), 'E_MISMATCH', "'transforms'", 'a list'],
  ['transforms: [3]', () => net.evaluate(custom({ transforms: [3] })), 'E_MISMATCH', "'transforms'", 'a list'],
  ['a model of nothing', () => new Model(any({ from: 3 })), 'E_MODEL', 'not the parts of a model'],
  ['a line of a billion', () => net.summary({ lineLength: 1e9 }), 'E_OPTION', "'lineLength'", '<= 10000'],
  ['a control with options', () => trainingControl(any(5)), 'E_OPTION', 'trainingControl', 'got 5'],
  ['features of nothing', () => Reflect.apply(net.features, net, []), 'E_MODEL', 'name a layer'],
  ['fit by a Map', () => net.fit(data, any(new Map([['epochs', 3]]))), 'E_OPTION', 'fit', 'one object', 'got a Map'],
  ['predict by a signal', () => net.predict(x, any(AbortSignal.timeout(1e6))), 'E_OPTION', 'got an AbortSignal'],
  [
    'options of a class',
    () =>
      net.fit(
        data,
        any(
          new (class Three {
            epochs = 3
          })(),
        ),
      ),
    'E_OPTION',
    'got a Three',
  ],
  ['an optimizer in a Map', () => net.fit(data, { optimizer: any(new Map([['type', 'sgd']])) }), 'E_OPTION', 'a Map'],
  ['class weights in a Map', () => net.fit(data, { classWeight: any(new Map([[0, 1]])) }), 'E_OPTION', 'a Map'],
  ['a layer by a Map', () => dense(any(new Map([['units', 3]]))), 'E_OPTION', 'dense', 'a Map'],
  ['inputs in a Map', () => fromArrays({ ...arrays(), inputs: any(new Map()) }), 'E_DATA', 'needs a name'],
  ['weights in a Map', () => net.setWeights(any(new Map())), 'E_MODEL', 'no weights', 'got a Map'],
  ['weights in a list', () => net.setWeights(any([])), 'E_MODEL', 'no weights', 'got []'],
  ['goals in a Map', () => net.run(any({ outputs: new Map() }), x), 'E_OPTION', 'these are no goals'],
  [
    'callbacks in a list of lists',
    () => net.fit(data, { callbacks: any([[{ onEpochEnd() {} }]]) }),
    'E_OPTION',
    'one list',
  ],
  ['a callback that is a Map', () => net.fit(data, { callbacks: any([new Map()]) }), 'E_OPTION', 'got a Map'],
  ['evaluate(data, null)', () => net.evaluate(data, any(null)), 'E_OPTION', 'evaluate', 'one object', 'got null'],
  ['evaluate(data, [])', () => net.evaluate(data, any([])), 'E_OPTION', 'evaluate', 'one object', 'got []'],
  ...['aborted', 'addEventListener', 'removeEventListener', 'throwIfAborted'].flatMap((call) => {
    const signal = halfSignal({ [call]: undefined })
    return [
      [`predict: no ${call}`, () => net.predict(x, { signal }), 'E_OPTION', "'signal'"],
      [`evaluate: no ${call}`, () => net.evaluate(data, { signal }), 'E_OPTION', "'signal'"],
      [`fit: no ${call}`, () => net.fit(data, { signal }), 'E_OPTION', "'signal'"],
    ] as const
  }),
  ['mse', () => net.fit(data, { loss: any('mse') }), 'E_OPTION', "did you mean 'meanSquaredError'?"],
  ['swish', () => dense({ units: 3, activation: any('swish') }), 'E_OPTION', "did you mean 'silu'?"],
  ['hard_silu', () => dense({ units: 3, activation: any('hard_silu') }), 'E_OPTION', "did you mean 'hardSwish'?"],
  ['hswish', () => dense({ units: 3, activation: any('hswish') }), 'E_OPTION', "did you mean 'hardSwish'?"],
  ['leaky_relu', () => dense({ units: 3, activation: any('leaky_relu') }), 'E_OPTION', "did you mean 'leakyRelu'?"],
  ['acc', () => net.fit(data, { metrics: any(['acc']) }), 'E_OPTION', "did you mean 'accuracy'?"],
]

suite('mistakes', () => {
  for (const [says, call, code, ...words] of rows)
    test(says, async () => {
      await assert.rejects(async () => call(), failure(code, ...words))
    })
  test('the names of classes that fit are taken before and after wiring, and with one number they may be two', async () => {
    assert.deepEqual(named(fresh(2), ['a', 'b']).classNames, ['a', 'b'])
    assert.deepEqual(named(fresh(1), ['a', 'b']).classNames, ['a', 'b'])
    assert.deepEqual(named(unbuilt(), ['a', 'b', 'c']).build([2]).classNames, ['a', 'b', 'c'])
  })
  test('a zoo network has its name, or the one that is given', () => {
    assert.equal(zoo.lenet().name, 'lenet')
    assert.equal(zoo.mnistCnn({ name: 'mine' }).name, 'mine')
  })
  test('gradients that are replaced are used; of another size they are refused', async () => {
    const fitBy = async (change: (gradients: Record<string, Float32Array>) => void) => {
      const own = sequential({ inputShape: [2], engine: 'reference', seed: 1 }, [dense({ units: 2 })])
      await own.fit(data, { callbacks: [{ onGradients: ({ gradients }) => change(any(gradients)) }] })
      return own.weights()
    }
    const filled = await fitBy((gradients) => gradients['dense/bias'].fill(0.5))
    const replaced = await fitBy((gradients) => Object.assign(gradients, { 'dense/bias': Float32Array.of(0.5, 0.5) }))
    const plain = await fitBy(() => {})
    assert.deepEqual(replaced, filled)
    assert.notDeepEqual(replaced, plain)
    const short = fitBy((gradients) => Object.assign(gradients, { 'dense/bias': Float32Array.of(1) }))
    await assert.rejects(short, failure('E_OPTION', "'dense/bias'", 'a Float32Array of 2'))
  })
  test('a training that is held before it began is paused from its first moment', async () => {
    const control = trainingControl()
    await control.pause()
    const training = fresh().fit(data, { control })
    assert.equal(control.state, 'paused')
    control.resume()
    await training
    assert.equal(control.state, 'ended')
    const next = trainingControl()
    const step = next.step() // of the training that comes
    const stepped = fresh().fit(data, { control: next, epochs: 2 })
    assert.equal((await step)?.step, 1)
    next.resume()
    await stepped
  })
})

test('a window larger than its picture: the layer is named by its place and type', () => {
  const conv = (kernelSize: number) => layers.conv2d({ filters: 2, kernelSize })
  assert.throws(() => sequential({ inputShape: [4, 4, 1] }, [conv(3), conv(5)]), /layer 2 of 2: conv2d: /)
})
