/** Paths of modelCheckpoint: formats as Python writes them, and what is refused before an epoch is spent. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { callbacks } from '../../src/index.ts'
import { pathPattern } from '../../src/training/callbacks/path-pattern.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const folder = await mkdtemp(join(tmpdir(), 'fovea-paths-'))
after(() => rm(folder, { recursive: true }))

/** What Python's `'{:...}'.format(value)` gives. */
const formats: [format: string, value: number, wanted: string][] = [
  ['02d', 7, '07'],
  ['02d', 123, '123'],
  ['d', 3, '3'],
  ['3d', 5, '  5'],
  ['02', 4, '04'],
  ['.2f', 0.375, '0.38'],
  ['.3f', -0.0004, '-0.000'],
  ['06.2f', -0.5, '-00.50'],
  ['8.3f', 1.5, '   1.500'],
  ['.4e', 1.2345e-5, '1.2345e-05'],
  ['.2e', 12345.678, '1.23e+04'],
  ['.1E', 1e-12, '1.0E-12'],
  ['.1e', 1e120, '1.0e+120'],
  ['.3g', 1.234e-5, '1.23e-05'],
  ['.3g', 0.0001234, '0.000123'],
  ['.3g', 1234.5, '1.23e+03'],
  ['.3g', 123.456, '123'],
  ['.3g', 0, '0'],
  ['g', 0.1, '0.1'],
  ['g', 1234567, '1.23457e+06'],
  ['G', 1e-7, '1E-07'],
  ['.2%', 0.98765, '98.77%'],
  ['f', 1 / 3, '0.333333'],
  ['.2f', Number.NaN, 'nan'],
  ['.2f', Number.NEGATIVE_INFINITY, '-inf'],
]
for (const [format, value, wanted] of formats) {
  test(`{epoch:${format}} of ${value} is ${wanted}`, () =>
    assert.equal(pathPattern(`a-{epoch:${format}}.b`).fill({ epoch: value }), `a-${wanted}.b`))
}

test('fields by themselves, braces, and a log that an epoch has not', () => {
  const pattern = pathPattern('{{{epoch}}}-{loss}-{val_loss:.2f}-{accuracy}')
  assert.equal(pattern.fill({ epoch: 3, loss: 1 / 3, accuracy: 1 }), '{3}-0.3333-NA-1')
})

for (const [path, words] of [
  ['w-{epoch:2x}', '{epoch:2x}'],
  ['w-{epoch:.2d}', '{epoch:.2d}'],
  ['w-{loss:d}', '{loss:d}'],
  ['w-{loss:5}', '{loss:5}'],
  ['w-{loss:>5.2f}', '{loss:>5.2f}'],
  ['w-{epoch', 'a { without its pair'],
  ['w-epoch}', 'a } without its pair'],
] as const) {
  test(`refused when the callback is made: ${path}`, () =>
    assert.throws(
      () => callbacks.modelCheckpoint({ path }),
      failure('E_OPTION', 'modelCheckpoint', words, '{epoch:02d}'),
    ))
}

for (const [path, got] of [
  ['w-{val_loss:.2f}', 'val_loss'],
  ['w-{val_acc}', 'val_acc'],
  ['w-{}', 'epoch, samples'],
] as const) {
  test(`refused before an epoch is spent: ${path}`, async () => {
    const epochs: number[] = []
    const list = [
      callbacks.modelCheckpoint({ path: join(folder, path) }),
      { onEpochBegin: (n: number) => void epochs.push(n) },
    ]
    const refused = failure('E_OPTION', 'modelCheckpoint', 'names no log', 'accuracy, loss', got)
    await assert.rejects(tiny().fit(points(12), { callbacks: list }), refused)
    assert.deepEqual(epochs, [])
  })
}

test("in a training: Keras's form, a file per epoch", async () => {
  const at = join(folder, 'run')
  const path = join(at, 'w.{epoch:02d}-{val_loss:.2f}.safetensors')
  const { history } = await tiny().fit(points(12), {
    epochs: 2,
    validationSplit: 0.25,
    callbacks: [callbacks.modelCheckpoint({ path })],
  })
  const wanted = history['val_loss'].map((loss, i) => `w.0${i + 1}-${loss.toFixed(2)}.safetensors`)
  assert.deepEqual((await readdir(at)).sort(), wanted)
})

test('a log that no training has is named as such, also where there is no validation', async () => {
  const stopping = (monitor: string) => tiny().fit(points(12), { callbacks: [callbacks.earlyStopping({ monitor })] })
  await assert.rejects(
    stopping('val_los'),
    failure('E_OPTION', 'earlyStopping', 'names no log', 'accuracy, loss', 'val_los'),
  )
  await assert.rejects(
    stopping('val_loss'),
    failure('E_OPTION', 'earlyStopping', 'needs data for validation', "'loss'"),
  )
})
