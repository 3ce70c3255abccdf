/** The native engine's loops for lesser processors than this one: in processes of their own, by a part of the suites. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { available } from '../../support/require.ts'

const { skip } = available('native')
const flags = skip ? '' : readFileSync('/proc/cpuinfo', 'utf8')

/** Tests of what the loops compute; oneDNN chooses its own way. */
const own = ['elementwise', 'expression', 'float32 \\[', 'sum', 'max', 'averagePool', 'softmax', 'Softmax', 'random', 'gather', 'large', 'stored', 'few', 'winograd', 'bytes', 'math, native'] // biome-ignore format: a row

suite('native: loops', { skip }, () => {
  const rows: readonly [held: string, name: string, flag: string][] = [
    ['baseline', 'SSE2', 'sse2'],
    ['avx2', 'AVX2', 'avx2'],
  ]
  for (const [held, name, flag] of rows) {
    test(name, { skip: !flags.includes(flag) && `this processor has no ${name}` }, (t) => {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env
      const { status, stdout } = spawnSync(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          '--conditions=fovea-source',
          '--test',
          '--test-reporter=spec',
          ...own.map((pattern) => `--test-name-pattern=${pattern}`),
          'test/engines/native/native.test.ts',
          'test/engines/native/kernels.test.ts',
          'test/engines/math.test.ts',
        ],
        { encoding: 'utf8', env: { ...env, FOVEA_NATIVE_LOOPS: held } },
      )
      assert.equal(status, 0, stdout)
      assert.ok(stdout.includes(`math, native, ${name}`), 'other loops ran')
      const [, passed = 0] = stdout.match(/^ℹ pass (\d+)/m) ?? []
      t.diagnostic(`${passed} tests passed`)
      assert.ok(Number(passed) > 200, stdout)
    })
  }
})
