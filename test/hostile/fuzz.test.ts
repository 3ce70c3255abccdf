/** Files made at random and damaged at random, 2,000 for each reader; `npm run fuzz` reads 25,000 each. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { layers } from '../../src/nn/layers/index.ts'
import { allocated } from './allocations.ts'
import { idxFiles } from './idx-files.ts'
import * as idx from './idx-refused.ts'
import { roomFor } from './kind.ts'
import { fuzzings } from './kinds.ts'
import { modelFiles } from './model-files.ts'
import * as model from './model-refused.ts'
import { safetensorsFiles } from './safetensors-files.ts'
import * as safetensors from './safetensors-refused.ts'

const how = { seed: 1, runs: 2_000 }

for (const [name, fuzzed] of Object.entries(fuzzings))
  test(`${name}: ${how.runs} files are read, or refused as they should be (seed ${how.seed})`, () => {
    const { read, refused } = fuzzed(how)
    const share = read / how.runs
    assert.ok(share > 0.25 && share < 0.75, `${read} were read: the changes are too weak or too wild`)
    assert.ok(refused.size >= 8, `only ${refused.size} complaints are heard`)
  })

const hostile = [
  ...idx.refused.map(([rule, bytes]) => ({ rule, bytes, read: idxFiles.read })),
  ...safetensors.refused.map(([rule, bytes]) => ({ rule, bytes, read: safetensorsFiles.read })),
  ...[...model.refused, ...model.refusedLarge].map(([rule, bytes]) => ({ rule, bytes, read: modelFiles.read })),
]
test('what a header claims is not allocated before it is checked', () => {
  for (const { rule, bytes, read } of hostile) {
    const { asked } = allocated(() => assert.throws(() => read(bytes, 'some.file')))
    assert.ok(asked <= roomFor(bytes), `${rule}: ${asked} bytes of arrays for a file of ${bytes.length}`)
  }
})

test('allocations are counted: by number, of lists, of copies; views cost nothing', () => {
  const copied = new Uint8Array(3)
  const actions: (() => unknown)[] = [
    () => new Float32Array(10),
    () => Int32Array.from([1, 2]),
    () => new Uint8Array(copied),
    () => new Uint8Array(copied.buffer),
    () => copied.subarray(1),
    () => new ArrayBuffer(7),
  ]
  const asked = actions.map((action) => allocated(action).asked)
  assert.deepEqual(asked, [40, 8, 3, 0, 0, 7])
  assert.throws(() => allocated(() => new Float64Array(2 ** 53)), RangeError)
  assert.equal(new Uint8Array(1).constructor, copied.constructor, 'the real types are back')
})

test('model files hold every kind of layer', () => {
  const files = fc.sample(modelFiles.whole, { seed: how.seed, numRuns: how.runs })
  const found = files.flatMap(({ bytes }) =>
    modelFiles.read(bytes, 'made').network.layers.map(({ layer }) => layer.type),
  )
  const saved = Object.keys(layers).filter((type) => type !== 'lambda') // its function is code
  assert.deepEqual([...new Set(found)].sort(), saved.sort())
})
