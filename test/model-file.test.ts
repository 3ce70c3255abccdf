/** The model file: what is saved comes back, and what a stranger may have put into it is refused. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readSafetensors, writeSafetensors } from '../src/files/safetensors.ts'
import { loadModel } from '../src/index.ts'
import { failure } from './failure.ts'
import { judged, settings, small, train } from './small-model.ts'

const folder = await mkdtemp(join(tmpdir(), 'fovea-model-file-'))
after(() => rm(folder, { recursive: true }))

test('save and load: the same answers, class names, preprocessing; the file is plain safetensors', async () => {
  const path = join(folder, 'model.safetensors')
  const net = small()
  await net.fit(train, settings)
  await net.save(path)
  const loaded = await loadModel(path)
  assert.deepEqual(await loaded.evaluate(judged), await net.evaluate(judged))
  assert.deepEqual(loaded.classNames, net.classNames)
  assert.deepEqual(loaded.preprocessing, net.preprocessing)
  assert.deepEqual(await loaded.toBytes(), await readFile(path).then((bytes) => new Uint8Array(bytes)))
  const { metadata, tensors } = readSafetensors(await readFile(path), path)
  assert.equal(metadata['formatVersion'], '1')
  assert.deepEqual(tensors['conv2d/kernel'].shape, [5, 5, 1, 8])
})

/** Each row damages a good file; the complaint must name the file and what is wrong. */
const damages: [
  name: string,
  code: 'E_FILE' | 'E_VERSION' | 'E_OPTION' | 'E_SHAPE' | 'E_MODEL',
  words: string[],
  change: (
    metadata: Record<string, string>,
    tensors: Record<string, { shape: number[]; dtype: 'float32'; data: Float32Array }>,
  ) => void,
][] = [
  ['of another program', 'E_FILE', ['not a model'], (m) => delete m['format']],
  ['from the future', 'E_VERSION', ['newer', 'update'], (m) => Object.assign(m, { formatVersion: '2' })],
  ['without a version', 'E_FILE', ['formatVersion'], (m) => delete m['formatVersion']],
  ['with broken JSON', 'E_FILE', ['architecture'], (m) => Object.assign(m, { architecture: '{' })],
  [
    'with an unknown layer',
    'E_FILE',
    ['unknown kind of layer', 'conv9d'],
    (m) => Object.assign(m, { architecture: m['architecture'].replace('"type":"conv2d"', '"type":"conv9d"') }),
  ],
  [
    'with a layer of Object.prototype',
    'E_FILE',
    ['unknown kind of layer'],
    (m) => Object.assign(m, { architecture: m['architecture'].replace('"type":"conv2d"', '"type":"constructor"') }),
  ],
  [
    'with an unknown option',
    'E_FILE',
    ["did you mean 'filters'"],
    (m) => Object.assign(m, { architecture: m['architecture'].replace('"filters"', '"filter"') }),
  ],
  [
    'with a call of itself',
    'E_FILE',
    ['none before it'],
    (m) => Object.assign(m, { architecture: m['architecture'].replace('"inputs":[0]', '"inputs":[7]') }),
  ],
  ['with a missing tensor', 'E_FILE', ['dense/bias', 'missing'], (_, t) => delete t['dense/bias']],
  [
    'with one tensor too many',
    'E_FILE',
    ['extra', 'no layer'],
    (_, t) => Object.assign(t, { extra: { shape: [1], dtype: 'float32', data: Float32Array.of(1) } }),
  ],
  [
    'with a tensor of another shape',
    'E_FILE',
    ['dense/bias', '[10]'],
    (_, t) => Object.assign(t, { 'dense/bias': { shape: [2, 5], dtype: 'float32', data: new Float32Array(10) } }),
  ],
  ['with an unknown head', 'E_FILE', ['heads'], (m) => Object.assign(m, { heads: '{"output":"exec"}' })],
  ['with an unknown loss', 'E_FILE', ['objective'], (m) => Object.assign(m, { objective: '{"loss":{"type":"exec"}}' })],
  ['with class names that are no texts', 'E_FILE', ['classNames'], (m) => Object.assign(m, { classNames: '[1]' })],
  [
    'with unknown preprocessing',
    'E_FILE',
    ['preprocessing'],
    (m) => Object.assign(m, { preprocessing: '{"code":"x"}' }),
  ],
]
const good = await (async () => {
  const net = small()
  await net.fit(train, { ...settings, epochs: 1 })
  return net.toBytes()
})()
for (const [name, code, words, change] of damages) {
  test(`a model file ${name} is refused`, async () => {
    const { metadata, tensors } = readSafetensors(good, 'good')
    const entries = Object.entries(tensors).map(
      ([key, { shape, data }]) => [key, { shape: [...shape], dtype: 'float32', data: data as Float32Array }] as const,
    )
    const changed = {
      metadata: { ...metadata },
      tensors: Object.fromEntries(entries) as Record<string, { shape: number[]; dtype: 'float32'; data: Float32Array }>,
    }
    change(changed.metadata, changed.tensors)
    const path = join(folder, 'bad.safetensors')
    await writeFile(path, writeSafetensors(changed))
    await assert.rejects(loadModel(path), failure(code, path, ...words))
  })
}
