/** Parts of the bench: their results in the JSON, and in the tables of a page. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { plainRows, workOf } from '../../bench/layers.ts'
import type { Bench } from '../../bench/report.ts'

const node = (...words: readonly string[]) =>
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source', ...words], {
    encoding: 'utf8',
    env: { ...process.env, FOVEA_BENCH_PATIENCE: '0' },
  })

test('layers, norms, steps by hand and data: a figure each, and a table each', (t) => {
  const parts = ['layers', 'norms', 'lowLevel', 'data'].flatMap((part) => ['--part', part])
  const words = [...parts, '--layer', 'plain pass', '--engine', 'wasm', '--rounds', '1', '--json']
  const { stdout, stderr, status } = node('bench/run.ts', ...words)
  assert.equal(status, 0, stderr)
  const { layers, norms, lowLevel, data, failures } = JSON.parse(stdout) as Bench
  assert.deepEqual(failures, [])
  assert.deepEqual(layers, [])
  assert.deepEqual(
    norms.map(({ layer, pass, name, gflops }) => [layer, pass, name, gflops]),
    ['forwards', 'forwards and back'].map((pass) => ['plain pass', pass, 'wasm', null]),
  )
  for (const { milliseconds, gigabytesPerSecond } of norms) {
    const tensors = (milliseconds * gigabytesPerSecond * 1e6) / (4 * 64 * 28 * 28 * 64)
    assert.ok(Math.abs(tensors - 2) < 1e-6 || Math.abs(tensors - 4) < 1e-6, `${tensors} tensors`)
  }
  assert.equal(lowLevel.length, 1)
  const [{ engine, byHand, fit, ratio }] = lowLevel
  assert.equal(engine, 'wasm')
  assert.ok(Math.abs(ratio - byHand / fit) < 1e-9)

  assert.deepEqual(
    data.map(({ engine }) => engine),
    [null, 'wasm', 'wasm', 'wasm'],
  )
  for (const { what, imagesPerSecond } of data) assert.ok(imagesPerSecond > 1, `${what}: ${imagesPerSecond}`)

  const folder = mkdtempSync(join(tmpdir(), 'fovea-bench-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [result, page] = [join(folder, 'result.json'), join(folder, 'page.md')]
  writeFileSync(result, stdout)
  writeFileSync(
    page,
    ['layers', 'norms', 'low level', 'data'].map((name) => `<!-- bench: ${name} -->\n<!-- end -->`).join('\n'),
  )
  const filled = node('bench/tables.ts', result, page)
  assert.equal(filled.status, 0, filled.stderr)
  const text = readFileSync(page, 'utf8')
  assert.match(text, /<!-- bench: layers -->\n\nNot measured in this run\./)
  assert.match(text, /\| layer \| engine \| forwards \| forwards and back \|/)
  assert.match(text, /\| plain pass \| wasm \| [\d.]+ ms, [\d.]+ GB\/s \| [\d.]+ ms, [\d.]+ GB\/s \|/)
  assert.match(text, /\| wasm \| [\d,]+ \| [\d,]+ \| \d\.\d\d \|/)
  assert.match(text, /\| read, one thread \| - \| [\d,]+ \|/)
})

test('the work of a layer: products of its kernel, and gradients that read the input again', () => {
  const row = (part: 'layers' | 'norms', name: string) => plainRows(part, name)[0]
  assert.equal(workOf(row('layers', 'conv2dTranspose'), 'infer').flops, 2 * 32 * 32 * 32 * 4 * 4 * 32 * 64)
  assert.equal(workOf(row('layers', 'conv2dTranspose'), 'train').flops, 3 * 2 * 32 * 32 * 32 * 4 * 4 * 32 * 64)
  const tensor = 4 * 64 * 28 * 28 * 64
  assert.deepEqual(workOf(row('norms', 'layer norm'), 'train'), { flops: 0, bytes: 5 * tensor })
  assert.deepEqual(workOf(row('norms', 'plain pass'), 'train'), { flops: 0, bytes: 4 * tensor })
})
