/** The command as a stranger meets it: a process, its words, its files and its exit codes. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { text } from 'node:stream/consumers'
import sharp from 'sharp'
import { allocateBatch } from '../src/data/batch.ts'
import { digits } from '../src/data/datasets/digits.ts'
import { loadModel } from '../src/model/build.ts'
import type { Progress } from '../src/model/history.ts'
import { progressBar } from '../src/cli/progress.ts'
import { commands } from '../src/cli/commands/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'fovea-cli-'))
after(() => rmSync(folder, { recursive: true }))
const inFolder = (name: string): string => join(folder, name)

/** The user's own data and colours stay out of it. */
const { FOVEA_DATA: _, FORCE_COLOR: __, ...rest } = process.env
const env = { ...rest, XDG_CACHE_HOME: inFolder('cache') }
const main = ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source', 'src/cli/main.ts']

const start = (words: readonly string[]): ChildProcess =>
  spawn(process.execPath, [...main, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] })

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function ended(child: ChildProcess): Promise<Ended> {
  const [[code, signal], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout!),
    text(child.stderr!),
  ])
  return { code: code ?? signal, stdout, stderr }
}
const fovea = (...words: string[]): Promise<Ended> => ended(start(words))

/** Runs to a good end; what it wrote on stdout. */
async function fine(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await fovea(...words)
  assert.equal(stderr, '')
  assert.equal(code, 0)
  return stdout
}

const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

const small = ['--data', 'digits', '--samples', '256', '--test-samples', '64', '--batch-size', '32']
const trained = inFolder('trained')
let trainingOutput = ''

before(async () => {
  const few = ['--epochs', '2', '--validation-split', '0.25', '--log-every', '2', '--seed', '3']
  trainingOutput = await fine('train', 'lenet', ...small, ...few, '--out', trained)
})

test('train: plain lines in a pipe', () => {
  const lines = trainingOutput.split('\n')
  assert.equal(lines[0], 'digits train: 256 images, drawn from strokes, seed 3')
  const metrics = String.raw`accuracy: \d\.\d{4} - loss: \d\.\d{4}`
  for (const expected of [
    /^Model: "lenet"$/m,
    /^engine wasm: .*threads?$/m,
    /^memory \d+\.\d\d MB for a step/m,
    /^train on 192 images, validate on 64$/m,
    /^Epoch 1\/2$/m,
    new RegExp(String.raw`^2/6 - \d+s left - [\d.]+ images/s - ${metrics}$`, 'm'),
    new RegExp(String.raw`^6/6 - \d+s - [\d.]+ images/s - ${metrics} - val_accuracy: \d.* - val_loss: \d.*$`, 'm'),
    /^test accuracy \d\.\d{4}$/m,
    /^test loss \d\.\d{4}$/m,
  ])
    assert.match(trainingOutput, expected)
  assert.equal(lines.at(-2), `saved ${join(trained, 'model.safetensors')}`)
  assert.ok(!trainingOutput.includes('\x1b') && !trainingOutput.includes('\r'))
})

test('train: the run folder', async () => {
  assert.deepEqual(readdirSync(trained).sort(), ['config.json', 'history.jsonl', 'model.safetensors'])
  const config = JSON.parse(readFileSync(join(trained, 'config.json'), 'utf8'))
  assert.equal(config.network, 'lenet')
  assert.equal(config.parameters, 1_256_080)
  assert.equal(config.engine.name, 'wasm')
  assert.equal(config.train.source, 'drawn from strokes, seed 3')
  assert.equal(config.versions.fovea, JSON.parse(readFileSync('package.json', 'utf8')).version)
  const { seed, epochs, batchSize, optimizer, validationSplit } = config.options
  assert.deepEqual([seed, epochs, batchSize, optimizer, validationSplit], [3, 2, 32, 'adam', 0.25])

  const history = jsonLines(readFileSync(join(trained, 'history.jsonl'), 'utf8'))
  const events = history.map(({ event, step = '' }) => `${event} ${step}`.trim())
  assert.deepEqual(events, ['step 2', 'step 4', 'step 6', 'epoch', 'step 8', 'step 10', 'step 12', 'epoch', 'test'])
  assert.deepEqual(Object.keys(history[3]), ['event', 'epoch', 'accuracy', 'loss', 'val_accuracy', 'val_loss', 'seconds'])
  await (await loadModel(join(trained, 'model.safetensors'))).close()
})

test('train: a seed decides every byte, the number of threads none', async () => {
  const bytes = async (name: string, ...words: string[]): Promise<Buffer> => {
    await fine('train', 'lenet', ...small, '--steps', '3', '--out', inFolder(name), ...words)
    return readFileSync(inFolder(`${name}/model.safetensors`))
  }
  const first = await bytes('seed-7', '--seed', '7', '--threads', '1')
  assert.ok(first.equals(await bytes('seed-7-again', '--seed', '7', '--threads', '2')))
  assert.ok(!first.equals(await bytes('seed-8', '--seed', '8')))
})

test('train --json: events and nothing else', async () => {
  const out = inFolder('json')
  const events = jsonLines(await fine('train', 'lenet', ...small, '--steps', '3', '--log-every', '1', '--json', '--out', out))
  assert.deepEqual(
    events.map(({ event }) => event),
    ['start', 'step', 'step', 'step', 'epoch', 'test', 'end'],
  )
  assert.equal(events[0]['samples'], 256)
  assert.deepEqual(Object.keys(events[5]), ['event', 'accuracy', 'loss'])
  assert.deepEqual(events[6], { event: 'end', ended: 'finished', steps: 3, out, model: join(out, 'model.safetensors') })
})

test('train: other data stand in where the first cannot be had', async () => {
  const words = ['train', 'lenet', '--data', 'mnist', '--no-download', ...small.slice(2), '--steps', '1']
  const { code, stdout, stderr } = await fovea(...words, '--fallback', 'digits', '--out', inFolder('fallback'))
  assert.equal(code, 0)
  assert.match(stderr, /^fovea: mnist cannot be had \(.*\): training on digits instead\n$/)
  assert.match(stdout, /^digits train: 256 images.*\ndigits test: 64 images/)
})

for (const [signal, expected, presses] of [['SIGINT', 130, 2], ['SIGTERM', 143, 1]] as const) // prettier-ignore
  test(`train: ${signal} ends cleanly with the model saved`, async () => {
    const out = inFolder(signal)
    const child = start(['train', 'lenet', ...small, '--samples', '20000', '--log-every', '1', '--out', out])
    child.stdout!.on('data', (chunk) => {
      if (!String(chunk).includes(' left - ')) return
      child.stdout!.removeAllListeners('data')
      for (let i = 0; i < presses; i++) child.kill(signal)
    })
    const [code] = await once(child, 'exit')
    assert.equal(code, expected)
    await (await loadModel(join(out, 'model.safetensors'))).close()
    const last = jsonLines(readFileSync(join(out, 'history.jsonl'), 'utf8')).at(-1)
    assert.equal(last?.['event'], 'epoch') // cut short, and no test after it
  })
