/** Arrays of the caller's: taken during the call, on every engine, and known whatever realm they come from. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import sharp from 'sharp'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import {
  compile,
  constant,
  decodeImage,
  fromArrays,
  layers,
  type Model,
  modelFrom,
  openEngine,
  ops,
  placeholder,
  preprocess,
  State,
  sequential,
  variable,
} from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'

const { dense } = layers

type Arrays = Readonly<Record<string, Numbers | Uint8ClampedArray>>
/** A call that is given arrays, and answers in numbers. */
type Call<A> = (arrays: A) => Promise<ArrayLike<number>>

interface Row {
  readonly arrays: () => Arrays
  /** Makes what the call needs on an engine. */
  readonly prepared: (engine: Engine) => Promise<Call<never>>
}
const row = <A extends Arrays>(arrays: () => A, prepared: (engine: Engine) => Promise<Call<A>>): Row => ({
  arrays,
  prepared,
})

type EngineName = 'reference' | 'wasm' | 'native'
const nameOf = ({ name }: Engine): EngineName => name as EngineName

/** One weight of 2: answers twice its input. */
async function doubling(engine: Engine): Promise<Model> {
  const net = sequential({ inputShape: [1], engine: nameOf(engine) }, [dense({ units: 1, useBias: false })])
  await net.setWeights({ 'dense/kernel': Float32Array.of(2) })
  return net
}
const labelled = (count: number) =>
  fromArrays({
    name: 'labelled',
    inputs: { x: { shape: [1], data: Float32Array.from({ length: count }, (_, i) => i / count) } },
    targets: { y: { shape: [], data: Int32Array.from({ length: count }, (_, i) => i % 2) } },
  })
const classifier = (engine: Engine): Model =>
  sequential({ inputShape: [1], seed: 3, engine: nameOf(engine) }, [dense({ units: 2 })])

const floats = (...values: number[]) => ({ x: Float32Array.from(values) })
/** A PNG of 2 x 2 pixels of colour. */
const picture = new Uint8Array(
  await sharp(
    Uint8Array.from({ length: 12 }, (_, i) => 20 * i),
    { raw: { width: 2, height: 2, channels: 3 } },
  )
    .png()
    .toBuffer(),
)
const shrink = { size: [2, 2], channels: 3, fit: 'stretch', ink: 'any', antialias: true } as const
const file = await sequential({ inputShape: [1], seed: 4 }, [dense({ units: 1 })]).toBytes()

/** Calls that go on after they have returned their promise. */
const later: Readonly<Record<string, Row>> = {
  'predict, one sample': row(
    () => floats(1),
    async (engine) => {
      const net = await doubling(engine)
      return async ({ x }) => (await net.predict(x)).data
    },
  ),
  'predict, whole batches and a padded one': row(
    () => floats(1, 2, 3, 4, 5),
    async (engine) => {
      const net = await doubling(engine)
      return async ({ x }) => (await net.predict(x, { batchSize: 2 })).data
    },
  ),
  'predict, pixels': row(
    () => ({ x: Uint8Array.of(255, 51) }),
    async (engine) => {
      const net = await doubling(engine)
      return async ({ x }) => (await net.predict(x)).data
    },
  ),
  'predict, pixels of a canvas': row(
    () => ({ x: Uint8ClampedArray.of(255, 51) }),
    async (engine) => {
      const net = await doubling(engine)
      return async ({ x }) => (await net.predict(x as never)).data
    },
  ),
  'predict, by name': row(
    () => floats(3),
    async (engine) => {
      const net = await doubling(engine)
      return async ({ x }) => (await net.predict({ [Object.keys(net.inputs)[0]]: x })).data
    },
  ),
  'predict on another engine': row(
    () => floats(1),
    async (engine) => {
      const net = await doubling(engine)
      const other = engine.name === 'wasm' ? 'reference' : 'wasm'
      return async ({ x }) => (await net.predict(x, { engine: other })).data
    },
  ),
  predictPicture: row(
    () => ({ picture: picture.slice() }),
    async (engine) => {
      const layers_ = [layers.flatten(), dense({ units: 2 })]
      const net = sequential({ inputShape: [2, 2, 3], seed: 1, engine: nameOf(engine) }, layers_)
      net.preprocessing = shrink
      return async ({ picture }) => (await net.predictPicture(picture)).data
    },
  ),
  decodeImage: row(
    () => ({ picture: picture.slice() }),
    async () =>
      async ({ picture }) =>
        (await decodeImage(picture)).pixels,
  ),
  modelFrom: row(
    () => ({ file: file.slice() }),
    async (engine) =>
      async ({ file }) =>
        (await modelFrom(file, 'model', { engine: nameOf(engine) }).weights())['dense/kernel'],
  ),
  'setWeights, float32': row(
    () => floats(5),
    async (engine) => {
      const net = await doubling(engine)
      return async ({ x }) => {
        await net.setWeights({ 'dense/kernel': x })
        return (await net.weights())['dense/kernel']
      }
    },
  ),
  'setWeights, float64': row(
    () => ({ x: Float64Array.of(5) }),
    async (engine) => {
      const net = await doubling(engine)
      return async ({ x }) => {
        await net.setWeights({ 'dense/kernel': x })
        return (await net.weights())['dense/kernel']
      }
    },
  ),
  'fit: sampleWeight and classWeight': row(
    () => ({ weights: Float32Array.from({ length: 8 }, (_, i) => 1 + i), classes: Float32Array.of(1, 3) }),
    async (engine) => {
      const net = classifier(engine)
      return async ({ weights, classes }) => {
        const classWeight = classes as unknown as Record<number, number>
        await net.fit(labelled(8), { sampleWeight: weights, classWeight, batchSize: 4, epochs: 2, seed: 1 })
        return (await net.weights())['dense/kernel']
      }
    },
  ),
  'evaluate: sampleWeight': row(
    () => ({ weights: Float32Array.from({ length: 8 }, (_, i) => 1 + i) }),
    async (engine) => {
      const net = classifier(engine)
      return async ({ weights }) =>
        Object.values(await net.evaluate(labelled(8), { sampleWeight: weights, batchSize: 4 }))
    },
  ),
  'findLearningRate: sampleWeight': row(
    () => ({ weights: Float32Array.from({ length: 8 }, (_, i) => 1 + i) }),
    async (engine) => {
      const net = classifier(engine)
      return async ({ weights }) =>
        (await net.findLearningRate(labelled(8), { sampleWeight: weights, steps: 10, batchSize: 4 })).losses
    },
  ),
  'State.add and State.write': row(
    () => ({ first: Float32Array.of(1, 2), next: Float64Array.of(3, 4) }),
    async (engine) => {
      const state = new State(engine)
      const spec = { shape: [2], dtype: 'float32' } as const
      return async ({ first, next }) => {
        const done = [state.add('a', spec, () => first), state.add('b', spec, () => first), state.write('b', next)]
        await Promise.all(done)
        return [...(await state.read('a')), ...(await state.read('b'))]
      }
    },
  ),
  'Program.run, also queued': row(
    () => ({ x: Float32Array.of(1, 2), y: Float64Array.of(3, 4), n: Int32Array.of(0, 1), p: Uint8Array.of(10, 20) }),
    async (engine) => {
      const [x, y, n, p] = [
        placeholder('x', [2]),
        placeholder('y', [2]),
        placeholder('n', [2], 'int32'),
        placeholder('p', [2], 'uint8'),
      ]
      const outputs = { sum: ops.add(ops.add(x, y), ops.toFloat(p)), hot: ops.oneHot(n, { depth: 2 }) }
      const program = compile(new State(engine), { outputs })
      return async (arrays) => {
        const runs = await Promise.all([program.run(arrays), program.run(arrays), program.run(arrays)])
        return runs.flatMap(({ sum, hot }) => [...sum, ...hot])
      }
    },
  ),
  'a constant of a graph': row(
    () => floats(1, 2),
    async (engine) => {
      const state = new State(engine)
      await state.add('w', { shape: [2], dtype: 'float32' }, () => Float32Array.of(1, 1))
      return async ({ x }) => {
        const times = constant(x)
        await Promise.resolve() // a graph may be compiled much later than it is built
        return (await compile(state, { outputs: { y: ops.mul(variable('w', [2]), times) } }).run({}))['y']
      }
    },
  ),
}

/** Calls that are done when they return, or that are given a dataset, which is its owner's. */
const atOnce: Readonly<Record<string, Row>> = {
  'fromArrays, read by fit': row(
    () => ({ x: Float32Array.of(1, 2, 3, 4), y: Int32Array.of(0, 1, 0, 1) }),
    async (engine) => {
      const net = classifier(engine)
      return async ({ x, y }) => {
        const inputs = { x: { shape: [1], data: x } }
        const targets = { y: { shape: [], data: y } }
        await net.fit(fromArrays({ name: 'pairs', inputs, targets }), { batchSize: 2, epochs: 1 })
        return (await net.weights())['dense/kernel']
      }
    },
  ),
  preprocess: row(
    () => ({ pixels: Uint8Array.of(0, 100, 200, 50) }),
    async () =>
      async ({ pixels }) =>
        preprocess({ width: 2, height: 2, channels: 1, pixels }, { ...shrink, channels: 1 }),
  ),
}

/** The same numbers in arrays of another realm, as a vm context or a test runner's sandbox has them. */
const foreign = (arrays: Arrays): Arrays =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, values]) => {
      const kind = Object.prototype.toString.call(values).slice(8, -1)
      const made = runInNewContext(`new ${kind}(${values.length})`) as Uint8Array
      made.set(values)
      assert.ok(!((made as unknown) instanceof Object))
      return [name, made]
    }),
  )

for (const name of ['reference', ...fastEngines] as const)
  suite(`arrays on ${name}`, async () => {
    const engine = await openEngine({ engine: name, threads: 1 })
    after(() => engine.close())
    /** The answer of a call; `then` is done when it has returned its promise. */
    async function answer({ prepared }: Row, arrays: Arrays, then = () => {}): Promise<number[]> {
      const call = await prepared(engine)
      const answering = call(arrays as never)
      then()
      return Array.from(await answering)
    }

    for (const [title, one] of Object.entries(later))
      test(`${title}: taken during the call`, async () => {
        const arrays = one.arrays()
        const fill = (): void => {
          for (const array of Object.values(arrays)) array.fill(0)
        }
        assert.deepEqual(await answer(one, arrays, fill), await answer(one, one.arrays()))
      })

    for (const [title, one] of Object.entries({ ...later, ...atOnce }))
      test(`${title}: of another realm`, async () => {
        assert.deepEqual(await answer(one, foreign(one.arrays())), await answer(one, one.arrays()))
      })

    test('fit: a signal of another realm', async () => {
      const made = runInNewContext(
        '({ aborted: true, throwIfAborted() { throw this }, addEventListener() {}, removeEventListener() {} })',
      )
      assert.equal((await classifier(engine).fit(labelled(8), { signal: made })).ended, 'aborted')
    })
  })
