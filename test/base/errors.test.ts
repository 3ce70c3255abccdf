import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import type { Complaint, ErrorCode } from '../../src/base/errors.ts'
import { didYouMean, errorCodes, exitCodes, FoveaError, locate } from '../../src/base/errors.ts'
import { failure } from '../support/failure.ts'

test('a message says what, where, expected, got and the way out', () => {
  const rows: readonly [complaint: Complaint, message: string][] = [
    [{ what: 'it broke' }, 'it broke'],
    [{ what: 'it broke', where: 'dense' }, 'dense: it broke'],
    [{ what: 'it broke', expected: '3' }, 'it broke: expected 3'],
    [{ what: 'it broke', got: '4' }, 'it broke: got 4'],
    [{ what: 'it broke', expected: '3', got: '4' }, 'it broke: expected 3, got 4'],
    [{ what: 'it broke', hint: 'mend it' }, 'it broke; mend it'],
    [
      { what: 'it broke', where: 'a.png at byte 7', expected: '3', got: '4', hint: 'mend it' },
      'a.png at byte 7: it broke: expected 3, got 4; mend it',
    ],
  ]
  for (const [complaint, message] of rows) {
    const error = new FoveaError('E_FILE', complaint)
    assert.equal(error.message, message)
    assert.deepEqual(error.complaint, complaint)
    assert.ok(error instanceof Error && error.name === 'FoveaError')
  }
  const cause = new Error('deeper')
  assert.equal(new FoveaError('E_IO', { what: 'no', cause }).cause, cause)
  assert.ok(!('cause' in new FoveaError('E_IO', { what: 'no' })))
})

test('codes, kinds and exit codes are stable', () => {
  const rows: Readonly<Record<ErrorCode, number>> = {
    E_BUG: 1,
    E_SHAPE: 2,
    E_DTYPE: 2,
    E_OPTION: 2,
    E_GRAPH: 2,
    E_MODEL: 2,
    E_MISMATCH: 2,
    E_CLOSED: 2,
    E_DATA: 3,
    E_LABEL: 3,
    E_FILE: 3,
    E_VERSION: 3,
    E_LIMIT: 5,
    E_NONFINITE: 6,
    E_IO: 7,
    E_NETWORK: 7,
    E_ENGINE: 9,
  }
  assert.deepEqual(Object.keys(errorCodes).sort(), Object.keys(rows).sort())
  for (const [code, exitCode] of Object.entries(rows)) {
    const error = new FoveaError(code as ErrorCode, { what: 'x' })
    assert.deepEqual([error.code, error.exitCode, exitCodes[error.kind]], [code, exitCode, exitCode])
  }
})

test('an error that nobody catches is printed once: its message, its code, its cause', () => {
  const cause = new FoveaError('E_IO', { what: 'deeper' })
  const error = new FoveaError('E_SHAPE', { what: 'it broke', where: 'dense', hint: 'mend it', cause })
  const stackless = inspect(error).replaceAll(/^ +(at|\.\.\.) .*?( \{)?$/gm, '$2')
  assert.equal(
    stackless.replaceAll(/\s+/g, ' '),
    "FoveaError: dense: it broke; mend it { code: 'E_SHAPE', [cause]: FoveaError: deeper { code: 'E_IO' } }",
  )
  assert.deepEqual(JSON.parse(JSON.stringify(new FoveaError('E_SHAPE', { what: 'it broke', where: 'dense' }))), {
    name: 'FoveaError',
    message: 'dense: it broke',
    code: 'E_SHAPE',
    kind: 'usage',
    complaint: { what: 'it broke', where: 'dense' },
  })
})

test('locate puts a place in front, and leaves other errors alone', () => {
  const fail = (where?: string) => () => {
    throw new FoveaError('E_SHAPE', { what: 'no', ...(where && { where }) })
  }
  assert.throws(() => locate('dense', fail()), { message: 'dense: no' })
  assert.throws(() => locate('model', () => locate('dense', fail())), { message: 'model: dense: no' })
  assert.throws(() => locate('dense', fail('matmul')), failure('E_SHAPE', 'dense: matmul: no'))
  const bare = new TypeError('ours')
  assert.throws(() => locate('dense', () => { throw bare }), (error) => error === bare) // biome-ignore format: a row
  assert.equal(
    locate('dense', () => 3),
    3,
  )
})

test('did you mean: the nearest word, and none when none is near', () => {
  const known = ['filters', 'kernelSize', 'strides', 'padding', 'learningRate']
  const rows: readonly [word: string, nearest: string | undefined][] = [
    ['filter', 'filters'],
    ['kernel_size', 'kernelSize'],
    ['kernelsize', 'kernelSize'],
    ['stirdes', 'strides'],
    ['learning-rate', 'learningRate'],
    ['lerningRate', 'learningRate'],
    ['x', undefined],
    ['banana', undefined],
    ['', undefined],
  ]
  for (const [word, nearest] of rows) assert.equal(didYouMean(word, known), nearest && `did you mean '${nearest}'?`)
  assert.equal(didYouMean('a', []), undefined)
})

test('what a stranger names reaches no terminal as a command, and no screen whole', () => {
  const name = `\u001b[2J${'x'.repeat(5000)}\n`
  const { message, complaint } = new FoveaError('E_FILE', { what: `tensor '${name}' is wrong`, where: 'a.file' })
  assert.ok(message.startsWith("a.file: tensor '\\u001b[2Jxx"), message)
  assert.ok(message.endsWith("xx\\u000a' is wrong"), message)
  assert.ok(message.length < 1100)
  assert.equal(complaint.what, `tensor '${name}' is wrong`, 'the parts stay as they were given')
  assert.equal(didYouMean('x'.repeat(1e7), ['filters']), undefined)
})
