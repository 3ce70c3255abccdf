/** Numbers beyond float32, which the reference engine holds, are not made infinite without a word. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure } from '../support/failure.ts'
import { tiny } from '../support/tiny-model.ts'

const beyond = async () => {
  const net = tiny()
  await net.setWeights({ 'only/kernel': Float64Array.of(1e300, 0, 0, 0, 0, 0) })
  return net
}
const refused = failure('E_NONFINITE', 'only/kernel', 'beyond float32')

test('weights', async () => {
  await assert.rejects((await beyond()).weights(), refused)
})
test('the bytes of a model, which are saved', async () => {
  await assert.rejects((await beyond()).toBytes(), refused)
})
test('a move to an engine that computes in float32', async () => {
  const net = await beyond()
  await assert.rejects(net.predict(Float32Array.of(1, 2, 3), { engine: 'wasm' }), refused)
})
test('new weights of a model that computes in float32', async () => {
  const net = tiny({ engine: 'wasm' })
  await assert.rejects(net.setWeights({ 'only/kernel': Float64Array.of(1e300, 0, 0, 0, 0, 0) }), refused)
})
test('answers', async () => {
  const net = await beyond()
  await assert.rejects(net.predict(Float32Array.of(1, 2, 3)), failure('E_NONFINITE', 'beyond float32'))
})
test('what is infinite already stays so', async () => {
  const net = tiny()
  await net.setWeights({ 'only/kernel': Float64Array.of(Number.POSITIVE_INFINITY, 0, 0, 0, 0, 0) })
  assert.equal((await net.weights())['only/kernel'][0], Number.POSITIVE_INFINITY)
})
