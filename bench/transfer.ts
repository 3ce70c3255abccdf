/**
 * Transfer against training from scratch: the digits 0 to 4 are learned from many samples, then 5 to 9 from a few.
 *
 *     npm run -s node -- bench/transfer.ts [samples of the new digits] [seeds]
 */
import type { Dataset, Model } from '../src/index.ts'
import { allocateBatch, datasets, fromArrays, layers, model, zoo } from '../src/index.ts'

/** The samples of five classes from `first` on, at most so many, with labels 0 to 4. */
export async function five(data: Dataset, first: number, most = data.length): Promise<Dataset> {
  const batch = allocateBatch(data, data.length)
  await data.read(
    Array.from({ length: data.length }, (_, i) => i),
    batch,
  )
  const labels = Array.from(batch.targets['label'], Number)
  const places = labels.flatMap((label, i) => (label >= first && label < first + 5 ? [i] : [])).slice(0, most)
  const image = Uint8Array.from(
    places.flatMap((place) => Array.from(batch.inputs['image'].subarray(place * 784, (place + 1) * 784), Number)),
  )
  return fromArrays({
    name: `${first} to ${first + 4}`,
    inputs: { image: { shape: [28, 28, 1], data: image } },
    targets: { label: { shape: [], data: Int32Array.from(places, (place) => labels[place] - first) } },
  })
}

const accuracyOf = async (net: Model, test: Dataset): Promise<number> => (await net.evaluate(test))['accuracy']

const [few = 50, seeds = 3] = process.argv.slice(2).map(Number)
for (let seed = 1; seed <= seeds; seed++) {
  const { train, test } = await datasets.digits({ samples: 6000, testSamples: 2000, seed })
  const [old, news, judged] = [await five(train, 0), await five(train, 5, few), await five(test, 5)]
  const base = zoo.articleNet({ classes: 5, batchNorm: true, seed })
  await base.fit(old, { epochs: 5, seed })
  const head = layers.dense({ units: 5, name: 'head' })
  const net = model(base.tensor('input_layer'), head(base.tensor('flatten')), { weightsFrom: base, seed })
  net.freeze('conv2d*', 'batch_normalization*')
  const schedule = { batchSize: 10, seed } as const
  await net.fit(news, { ...schedule, epochs: 20, learningRate: 3e-3 })
  const first = await accuracyOf(net, judged)
  net.unfreeze('conv2d*')
  await net.fit(news, { ...schedule, epochs: 20, learningRate: 1e-4 })
  const second = await accuracyOf(net, judged)
  const scratch = zoo.articleNet({ classes: 5, batchNorm: true, seed })
  await scratch.fit(news, { ...schedule, epochs: 40 })
  const plain = await accuracyOf(scratch, judged)
  console.log(
    `seed ${seed}, ${few} samples: head ${first.toFixed(4)}, then all ${second.toFixed(4)}, from scratch ${plain.toFixed(4)}`,
  )
}
