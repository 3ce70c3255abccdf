/** The model file: what is saved comes back, and what a stranger may have put into it is refused. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readSafetensors } from '../../src/files/safetensors.ts'
import { loadModel } from '../../src/index.ts'
import { modelFrom } from '../../src/model/build.ts'
import { modelFromBytes } from '../../src/saved/model-file.ts'
import { enormous, goodModel, newer, refused, refusedLarge } from '../hostile/model-refused.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { judged, settings, small, train } from '../support/small-model.ts'

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

for (const [rule, bytes, ...words] of [...refused, ...refusedLarge])
  test(`a model file ${rule} is refused`, () => {
    assert.throws(() => modelFromBytes(bytes, 'some.file'), failure('E_FILE', 'some.file', ...words))
  })

for (const [rule, bytes, ...words] of newer)
  test(`a model file ${rule} is refused`, () => {
    assert.throws(() => modelFromBytes(bytes, 'some.file'), failure('E_VERSION', 'some.file', ...words))
  })

test('a file that is refused is named by its path; one that is not there too', async () => {
  const path = join(folder, 'bad.safetensors')
  await writeFile(path, goodModel.subarray(0, -1))
  await assert.rejects(loadModel(path), failure('E_FILE', path, 'at byte'))
  await assert.rejects(loadModel(`${path}.gone`), failure('E_IO', `${path}.gone`))
})

test('what a small file claims of large memory is refused before a run', async () => {
  for (const engine of ['reference', ...fastEngines] as const) {
    await using net = modelFrom(enormous, 'some.file', { engine })
    await assert.rejects(net.predict(new Uint8Array(36)), failure('E_LIMIT', engine, 'more memory'))
  }
})
