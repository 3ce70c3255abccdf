/** Names from strangers (layers, classes, models, files, folders) go through every command: none commands the terminal. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import sharp from 'sharp'
import { printable } from '../../src/base/printable.ts'
import { terminalOf } from '../../src/cli/terminal.ts'
import { digits } from '../../src/data/datasets/digits.ts'
import { sequential } from '../../src/model/build.ts'
import { layers } from '../../src/nn/layers/index.ts'

/** Clears the screen, rings, breaks the line, turns what follows round, hides. */
const evil = 'a\x1b[2J\x07\nb\u202ec\u2066d\x9be\u2028f\u200bg'
/** Signs that command a terminal: all controls but the end of a line, and what reorders or hides. */
const command = /(?!\n)\p{Cc}|[\u200b\u2028\u2029\u202a-\u202e\u2060-\u2069]/u

const folder = mkdtempSync(join(tmpdir(), 'fovea-hostile-'))
after(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)
const modelPath = at(`${evil}.safetensors`)
const picturePath = at(`${evil}.png`)
const runPath = at(`${evil}run`)
const brokenPath = at(`${evil}.jpg`)

before(async () => {
  const { train } = await digits({ samples: 32, testSamples: 1 })
  const model = sequential({ name: evil.replace('/', ''), inputShape: [28, 28, 1], engine: 'reference' }, [
    layers.flatten({ name: evil }),
    layers.dense({ units: 10, name: `${evil}2` }),
  ])
  await model.fit(train, { epochs: 1 })
  model.classNames = Array.from({ length: 10 }, (_, i) => `${evil}${i}`)
  await model.save(modelPath)
  await sharp({ create: { width: 28, height: 28, channels: 3, background: 'black' } })
    .png()
    .toFile(picturePath)
  writeFileSync(brokenPath, 'no picture')
  mkdirSync(at('empty'))
})

function fovea(...words: string[]) {
  const main = ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source', 'src/cli/main.ts']
  const env = { ...process.env, FOVEA_DATA: '', XDG_CACHE_HOME: folder, FOVEA_DEBUG: '1' }
  const { stdout, stderr, status } = spawnSync(process.execPath, [...main, ...words], { encoding: 'utf8', env })
  return { stdout, stderr, status }
}

const small = [
  '--data',
  'digits',
  '--samples',
  '32',
  '--test-samples',
  '16',
  '--batch-size',
  '16',
  '--engine',
  'reference',
]

/** Command lines, how they end, and what they must say: on stdout, on stderr. */
const calls: readonly (readonly [words: () => string[], code: number, stdout: string, stderr: string])[] = [
  [() => ['summary', modelPath], 0, 'Model: "a\\u001b[2J', ''],
  [() => ['summary', modelPath, '--style', 'keras2', '--line-length', '200'], 0, `${printable(evil)} (Flatten)`, ''],
  [() => ['predict', modelPath, picturePath], 0, `${printable(picturePath)}  a\\u001b[2J`, ''],
  [() => ['predict', modelPath, brokenPath], 3, '', printable(brokenPath)],
  [() => ['predict', modelPath, at(`${evil}.gone.png`)], 7, '', '\\u202e'],
  [() => ['evaluate', modelPath, ...small], 0, 'accuracy', ''],
  [() => ['evaluate', modelPath, ...small, '--report'], 0, `${printable(evil)}9`, ''],
  [() => ['train', modelPath, ...small, '--epochs', '1', '--out', runPath], 0, `saved ${printable(runPath)}`, ''],
  [() => ['train', '--resume', at(`${evil}run3`)], 7, '', '\\u001b'],
  [() => ['train', 'lenet', '--data', 'mnist', '--data-dir', at(`${evil}data`)], 3, '', '\\u202e'],
  [() => ['find-learning-rate', evil, '--data', 'digits'], 2, '', '\\u202e'],
  [() => [evil], 2, '', '\\u202e'],
  [() => ['summary', 'lenet', `--${evil}`], 2, '', '\\u202e'],
  [() => ['summary', 'lenet', '--style', evil], 2, '', '\\u202e'],
  [() => ['engines'], 0, 'reference', ''],
]

suite('names from strangers', () => {
  for (const [words, code, said, noted] of calls)
    test(printable(words().slice(0, 2).join(' ').replace(folder, '')), () => {
      const { stdout, stderr, status } = fovea(...words())
      assert.doesNotMatch(stdout, command)
      assert.doesNotMatch(stderr, command)
      assert.ok(stdout.includes(said), stdout)
      assert.ok(stderr.includes(noted), stderr)
      assert.equal(status, code, stderr)
    })

  test('as JSON they are themselves again', () => {
    const { stdout } = fovea('predict', modelPath, picturePath, '--json')
    assert.doesNotMatch(stdout, command)
    const { file, top } = JSON.parse(stdout)
    assert.equal(file, picturePath)
    assert.ok(top[0].className.startsWith(evil))
  })

  test('a terminal draws styles, but none that a text brings along', () => {
    const written: string[] = []
    const write = (text: string) => written.push(text)
    const stdout = { isTTY: true, hasColors: () => true, columns: 80, write }
    const terminal = terminalOf({ stdout, stderr: { write }, env: {} } as unknown as NodeJS.Process)
    terminal.draw(evil)
    terminal.print({ style: 'bold', text: evil })
    terminal.note(evil)
    const shown = printable(evil)
    assert.deepEqual(written.join(''), `\r\x1b[K${shown}\r\x1b[K\x1b[1m${shown}\x1b[22m\nfovea: ${shown}\n`)
  })
})
