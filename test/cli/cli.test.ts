/** The command as a stranger meets it: a process, its words, its files and its exit codes. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import sharp from 'sharp'
import { commands } from '../../src/cli/commands/index.ts'
import { metricText } from '../../src/cli/number-text.ts'
import { progressBar } from '../../src/cli/progress.ts'
import type { Segment } from '../../src/cli/terminal.ts'
import { allocateBatch } from '../../src/data/batch.ts'
import { digits } from '../../src/data/datasets/digits.ts'
import { autoEngine } from '../../src/engines/index.ts'
import { loadModel, sequential } from '../../src/model/build.ts'
import { layers } from '../../src/nn/layers/index.ts'
import type { Progress, TrainingControl } from '../../src/training/history.ts'

const folder = mkdtempSync(join(tmpdir(), 'fovea-cli-'))
after(() => rmSync(folder, { recursive: true }))
const inFolder = (name: string): string => join(folder, name)

/** The user's own data and colours stay out of it. */
const { FOVEA_DATA: _, FORCE_COLOR: __, ...rest } = process.env
const env = { ...rest, XDG_CACHE_HOME: inFolder('cache') }
const main = ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source', 'src/cli/main.ts']

const start = (words: readonly string[], more: Readonly<Record<string, string>> = {}): ChildProcess =>
  spawn(process.execPath, [...main, ...words], { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] })

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

/** The engine that is taken where none is named. */
const auto = await autoEngine()
/** What this engine computes in float32. */
const mixedOnWasm = ['--engine', 'wasm', '--precision', 'mixed_bfloat16']

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
    new RegExp(`^engine ${auto}: .*threads?$`, 'm'),
    /^precision float32$/m,
    /^memory \d+\.\d\d MB for a step/m,
    /^train on 192 images, validate on 64$/m,
    /^Epoch 1\/2$/m,
    new RegExp(String.raw`^2/6 - [\d:]+s? left - [\d.]+ images/s - ${metrics}$`, 'm'),
    new RegExp(String.raw`^6/6 - [\d:]+s? - [\d.]+ images/s - ${metrics} - val_accuracy: \d.* - val_loss: \d.*$`, 'm'),
    /^test accuracy \d\.\d{4}$/m,
    /^test loss \d\.\d{4}$/m,
  ])
    assert.match(trainingOutput, expected)
  assert.equal(lines.at(-3), `saved ${join(trained, 'model.safetensors')}`)
  assert.ok(!trainingOutput.includes('\x1b') && !trainingOutput.includes('\r'))
})

test('train: the run folder', async () => {
  assert.deepEqual(readdirSync(trained).sort(), ['checkpoints', 'config.json', 'history.jsonl', 'model.safetensors'])
  const config = JSON.parse(readFileSync(join(trained, 'config.json'), 'utf8'))
  assert.equal(config.network, 'lenet')
  assert.equal(config.parameters, 1_256_080)
  assert.equal(config.engine.name, auto)
  assert.equal(config.train.source, 'drawn from strokes, seed 3')
  assert.equal(config.versions.fovea, JSON.parse(readFileSync('package.json', 'utf8')).version)
  const { seed, epochs, batchSize, optimizer, validationSplit } = config.options
  assert.deepEqual([seed, epochs, batchSize, optimizer, validationSplit], [3, 2, 32, 'adam', 0.25])

  const history = jsonLines(readFileSync(join(trained, 'history.jsonl'), 'utf8'))
  const events = history.map(({ event, step = '' }) => `${event} ${step}`.trim())
  assert.deepEqual(events, ['step 2', 'step 4', 'step 6', 'epoch', 'step 8', 'step 10', 'step 12', 'epoch', 'test'])
  assert.deepEqual(Object.keys(history[3]), [
    'event',
    'epoch',
    'accuracy',
    'loss',
    'val_accuracy',
    'val_loss',
    'samples',
    'seconds',
    'learningRate',
  ])
  await (await loadModel(join(trained, 'model.safetensors'))).close()
})

test('train --resume: a run that ended early goes on as if it had not, with options of now over those of then', async () => {
  const out = inFolder('resumed')
  const few = ['--epochs', '2', '--validation-split', '0.25', '--log-every', '2', '--seed', '3']
  await fine('train', 'lenet', ...small, ...few, '--out', out, '--checkpoint-every', '2', '--steps', '9')
  const output = await fine('train', '--resume', out, '--steps', '12')
  assert.match(output, /^continues after step 9, from .*checkpoint-0*9\.safetensors$/m)
  for (const name of ['model.safetensors', 'history.jsonl']) {
    const [got, wanted] = [out, trained].map((folder) => readFileSync(join(folder, name), 'utf8'))
    const timeless = (text: string) => text.replaceAll(/"(seconds|secondsLeft|imagesPerSecond)":[^,}]+/g, '')
    assert.equal(timeless(got), timeless(wanted), name)
  }
})

test('train --resume: on the engine that auto took when the run began, whatever it would take now', async () => {
  const [out, nowhere] = [inFolder('other-engine'), { FOVEA_NATIVE_ADDON: inFolder('none.node') }]
  const begun = await ended(start(['train', 'lenet', ...small, '--steps', '2', '--out', out], nowhere))
  assert.equal(begun.code, 0, begun.stderr)
  assert.match(await fine('train', '--resume', out, '--steps', '3'), /^engine wasm/m)
})

test('train: a seed decides every byte, the number of threads none', async () => {
  const bytes = async (name: string, ...words: string[]): Promise<Buffer> => {
    await fine('train', 'lenet', ...small, '--steps', '3', '--engine', 'wasm', '--out', inFolder(name), ...words)
    return readFileSync(inFolder(`${name}/model.safetensors`))
  }
  const first = await bytes('seed-7', '--seed', '7', '--threads', '1')
  assert.ok(first.equals(await bytes('seed-7-again', '--seed', '7', '--threads', '2')))
  assert.ok(!first.equals(await bytes('seed-8', '--seed', '8')))
})

test('train --json: events and nothing else', async () => {
  const out = inFolder('json')
  const events = jsonLines(
    await fine('train', 'lenet', ...small, '--steps', '3', '--log-every', '1', '--json', '--out', out, ...mixedOnWasm),
  )
  assert.deepEqual(
    events.map(({ event }) => event),
    ['start', 'step', 'step', 'step', 'epoch', 'test', 'end'],
  )
  assert.equal(events[0]['samples'], 256)
  assert.deepEqual([events[0]['precision'], events[0]['askedPrecision']], ['float32', 'mixed_bfloat16'])
  assert.deepEqual(Object.keys(events[5]), ['event', 'accuracy', 'loss'])
  assert.deepEqual(events[6], { event: 'end', ended: 'finished', steps: 3, out, model: join(out, 'model.safetensors') })
})

test('train: other data stand in where the first is not available', async () => {
  const words = ['train', 'lenet', '--data', 'mnist', '--no-download', ...small.slice(2), '--steps', '1']
  const { code, stdout, stderr } = await fovea(...words, '--fallback', 'digits', '--out', inFolder('fallback'))
  assert.equal(code, 0)
  assert.match(
    stderr,
    /^fovea: mnist is not available \(.*\): training on digits instead; to have it, put its files .*\n$/,
  )
  assert.match(stdout, /^digits train: 256 images.*\ndigits test: 64 images/)
})

for (const [signal, expected, presses] of [
  ['SIGINT', 130, 2],
  ['SIGTERM', 143, 1],
] as const)
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

test('train: SIGINT before the first step leaves nothing', async () => {
  const out = inFolder('unbegun')
  const words = ['--samples', '200000', '--class-weight', 'balanced'] // which are counted first, for seconds
  const child = start(['train', 'lenet', ...small, ...words, '--out', out])
  child.stdout!.on('data', (chunk) => String(chunk).includes('Total params') && child.kill('SIGINT'))
  const { code, stdout } = await ended(child)
  assert.equal(code, 130)
  assert.match(stdout, /\nstopped before the first step; nothing was saved\n$/)
  assert.ok(!existsSync(out))
})

test('evaluate: text and JSON say the same', async () => {
  const words = ['evaluate', trained, '--data', 'digits', '--test-samples', '64', '--seed', '3']
  const { accuracy, loss, ...others } = JSON.parse(await fine(...words, '--json'))
  assert.deepEqual(others, {})
  const again = await fine(...words, '--batch-size', '10')
  const [engine, ...figures] = again.split('\n')
  assert.match(engine, /^engine \w+: /)
  assert.deepEqual(figures, [`accuracy ${accuracy.toFixed(4)}`, `loss ${loss.toFixed(4)}`, ''])
  const { stdout, stderr } = await fovea(...words, '--batch-size', '10', ...mixedOnWasm)
  const onWasm = await fine(...words, '--engine', 'wasm')
  assert.deepEqual([stdout, stderr], [onWasm, 'fovea: wasm computes mixed_bfloat16 in float32\n'])
  assert.ok(trainingOutput.includes(`test accuracy ${accuracy.toFixed(4)}\ntest loss ${loss.toFixed(4)}\n`))
})

test('evaluate --report: the same figures, a line per class, the matrix; as JSON too', async () => {
  const words = ['evaluate', trained, '--data', 'digits', '--test-samples', '64', '--seed', '3']
  const { report, ...logs } = JSON.parse(await fine(...words, '--report', '--json'))
  assert.deepEqual(logs, JSON.parse(await fine(...words, '--json')))
  assert.equal(report.accuracy, logs.accuracy)
  assert.deepEqual(
    report.confusion.map((row: number[]) => row.reduce((a, b) => a + b)),
    report.classes.map(({ support }: { support: number }) => support),
  )
  const lines = (await fine(...words, '--report')).split('\n')
  assert.deepEqual(lines.slice(1, 4), (await fine(...words)).split('\n').slice(1))
  assert.match(lines[4], /^ +precision +recall +f1-score +support$/)
  for (const [i, { precision, recall, f1Score, support }] of report.classes.entries()) {
    const figures = [precision, recall, f1Score].map((value) => value.toFixed(4))
    assert.deepEqual(lines[6 + i].trim().split(/ +/), [`${i}`, ...figures, `${support}`])
  }
  assert.match(lines[17], new RegExp(`^ +accuracy +${logs.accuracy.toFixed(4)} +64$`))
  assert.deepEqual(lines.at(-2)?.trim().split(/ +/), ['9', ...report.confusion[9].map(String)])
})

describe('predict', () => {
  const pictures = ['a.png', 'b.jpg'].map(inFolder)
  before(async () => {
    const { test: data } = await digits()
    const batch = allocateBatch(data, pictures.length)
    await data.read([0, 1], batch)
    for (const [i, path] of pictures.entries()) {
      const pixels = batch.inputs['image'].slice(i * 784, (i + 1) * 784)
      await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } }).toFile(path)
    }
  })

  test('a table, best class first', async () => {
    const rows = (await fine('predict', trained, ...pictures)).trimEnd().split('\n')
    assert.equal(rows.length, 6)
    const probabilities = rows.map((row) => Number(row.slice(row.lastIndexOf(' '))))
    assert.ok(probabilities[0] >= probabilities[1] && probabilities[1] >= probabilities[2])
    assert.deepEqual([rows[0].split(' ')[0], rows[3].split(' ')[0]], pictures)
    assert.equal(new Set(rows.map((row) => row.length)).size, 1)
  })

  test('--json: a line per picture', async () => {
    const answers = jsonLines(await fine('predict', trained, ...pictures, '--top', '10', '--json'))
    assert.deepEqual(
      answers.map(({ file }) => file),
      pictures,
    )
    const top = answers[0]['top'] as { index: number; className: string; probability: number }[]
    assert.deepEqual(top.map(({ className }) => className).sort(), Array.from('0123456789'))
    assert.ok(Math.abs(top.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-5)
  })

  test('a bad file does not stop the others', async () => {
    const bad = inFolder('bad.png')
    writeFileSync(bad, 'no picture')
    const { code, stdout, stderr } = await fovea(
      'predict',
      trained,
      bad,
      inFolder('none.png'),
      pictures[0],
      '--top',
      '1',
    )
    assert.equal(code, 3)
    assert.equal(stdout.trimEnd().split('\n').length, 1)
    assert.match(stderr, /^fovea: .*bad\.png: not a picture .*\nfovea: .*none\.png: there is no such file\n$/)
  })

  test('the numbers of a model without classes are printed as such', async () => {
    const path = inFolder('numbers.safetensors')
    const { conv2d, flatten } = layers
    const model = sequential({ inputShape: [28, 28, 1], seed: 1, engine: 'reference' }, [
      conv2d({ filters: 3, kernelSize: 13, strides: 13, useBias: false }),
      flatten(),
    ])
    model.preprocessing = { size: [28, 28], channels: 1 }
    await model.save(path)
    const [{ file, outputs, ...others }] = jsonLines(await fine('predict', path, pictures[0], '--json'))
    assert.deepEqual([file, (outputs as number[]).length, others], [pictures[0], 12, {}])
    const texts = (outputs as number[]).slice(0, 10).map(metricText)
    const expected = [pictures[0], ...texts, '... 12 numbers; --json prints all'].join('  ')
    assert.equal(await fine('predict', path, pictures[0]), `${expected}\n`)
  })

  /** Files in a folder that is given in the place of a picture, and what stderr says of it. */
  const folders: [files: readonly string[], hint: string][] = [
    [[], 'name a file'],
    [['b.png', 'a.png'], 'name a file in it, as FOLDER/a.png'],
    [['broken.png'], 'name a file in it, as FOLDER/broken.png'],
    [['nested/a.png'], 'name a file'],
  ]
  for (const [i, [files, hint]] of folders.entries())
    test(`a folder that holds ${files.join(', ') || 'nothing'} does not stop the others`, async () => {
      const place = inFolder(`pictures-${i}`)
      mkdirSync(place)
      for (const file of files) {
        mkdirSync(dirname(join(place, file)), { recursive: true })
        if (file.startsWith('broken')) writeFileSync(join(place, file), 'no picture')
        else copyFileSync(pictures[0], join(place, file))
      }
      const { code, stdout, stderr } = await fovea('predict', trained, place, pictures[1], '--top', '1', '--json')
      assert.deepEqual(
        jsonLines(stdout).map(({ file }) => file),
        [pictures[1]],
      )
      assert.equal(stderr, `fovea: ${place}: this is a folder, not a file; ${hint.replace('FOLDER', place)}\n`)
      assert.equal(code, 7)
    })
})

test('summary: of a network and of a model file', async () => {
  const summary = await fine('summary', 'lenet')
  assert.match(summary, /Total params: 1,256,080 \(4\.79 MB\)/)
  assert.equal(await fine('summary', join(trained, 'model.safetensors')), summary)
  const widths = (await fine('summary', 'lenet', '--columns', '60')).split('\n').map((line) => line.length)
  assert.ok(Math.max(...widths) <= 60)
  assert.match(
    summary,
    /Multiply-adds of a sample: 6,522,000\n Its activations: 135.98 KB to train, 76.56 KB to predict/,
  )
  const keras2 = await fine('summary', 'lenet', '--style', 'keras2')
  assert.match(keras2, /^=+$/m)
  assert.doesNotMatch(keras2, /activations/)
})

test('summary --details and --time', async () => {
  const details = (await fine('summary', 'lenet', '--details')).split('\n')
  assert.match(details[0], /^layer \(type\) +parameters +multiply-adds +result +alive +receptive field$/)
  assert.match(details[4], /^max_pooling2d_1 \(MaxPooling2D\) +0 +0 +9\.57 KB +47\.85 KB +16 x 16$/)
  assert.match(details.at(-2) ?? '', /^in all +1,256,080 +6,522,000 +135\.98 KB +76\.56 KB$/)
  const time = await fine('summary', 'articleNet', '--time', '--samples', '1000', '--batch-size', '8')
  const [, epoch, step] =
    time.match(/an epoch of 1000 samples takes about (\S+) s on \w+: (\S+) ms a step of 8, the median of \d+\n/) ?? []
  assert.ok(Math.abs(Number(epoch) - (Number(step) * 125) / 1000) <= 0.06)
})

test('find-batch-size: the sizes that were tried, why none is larger, and what it is about', async () => {
  const search = ['find-batch-size', 'articleNet', '--data', 'digits', '--samples', '100']
  const found = await fine(...search, '--from', '8', '--to', '16')
  assert.match(found, /^batch size +images\/s +memory of a step\n8 +\d+ +\S+ [KM]B\n16 +\d+ /m)
  assert.match(
    found,
    /no larger one: this is the largest to try, --to\n.*--batch-size (8|16)\nThis is about speed only/,
  )
  const { ended, sizes } = JSON.parse(await fine(...search, '--from', '64', '--json'))
  assert.equal(ended, 'the data have 100 samples')
  assert.deepEqual(
    sizes.map(({ batchSize }: { batchSize: number }) => batchSize),
    [64],
  )
})

test('profile: speed, memory, and the stages of a step', async () => {
  const measured = ['profile', 'articleNet', '--data', 'digits', '--samples', '64', '--batch-size', '16']
  assert.match(await fine(...measured, '--top', '2'), /^engine \w+: [\s\S]*images\/s[\s\S]*%/)
  const { mode, batchSize, stages, imagesPerSecond } = JSON.parse(
    await fine(...measured, '--mode', 'predict', '--json'),
  )
  assert.deepEqual([mode, batchSize], ['predict', 16])
  assert.ok(imagesPerSecond > 0 && stages.length > 3)
})

const bars: readonly (readonly [string, RegExp])[] = [
  ['fovea', /^4\/4 - \d+s - \d+ images\/s - accuracy: 0\.\d{4} - loss: \d\.\d{4}$/m],
  ['keras3', /^4\/4 ━{20} \d+s \d+[mu]s\/step - accuracy: 0\.\d{4} - loss: \d\.\d{4}$/m],
  ['keras2', /^4\/4 \[={30}\] - \d+s \d+[mu]s\/step - loss: \d\.\d{4} - accuracy: 0\.\d{4}$/m],
  ['keras2.2', /^100\/100 \[={30}\] - \d+s \d+[mu]s\/step - loss: \d\.\d{4} - acc: 0\.\d{4}$/m],
]
for (const [progress, line] of bars)
  test(`train --progress ${progress}`, async () => {
    const words = [
      '--data',
      'digits',
      '--samples',
      '100',
      '--batch-size',
      '25',
      '--epochs',
      '1',
      '--progress',
      progress,
    ]
    assert.match(await fine('train', 'articleNet', ...words, '--out', inFolder(`bar-${progress}`)), line)
  })

test('engines: the first that is available is the one that auto takes', async () => {
  assert.match(await fine('engines'), new RegExp(`^${auto} +taken by auto +.*threads?$`, 'm'))
  const rows = jsonLines(await fine('engines', '--json'))
  assert.equal(
    rows.find(({ available }) => available),
    rows.find(({ auto }) => auto),
  )
})

test('engines: FOVEA_ENGINE says which one auto takes; a wrong one is refused behind the list', async () => {
  const { stdout, code } = await ended(start(['engines'], { FOVEA_ENGINE: 'reference' }))
  assert.equal(code, 0)
  assert.match(stdout, /^reference +taken by auto/m)
  const wrong = await ended(start(['engines'], { FOVEA_ENGINE: 'wsam' }))
  assert.equal(wrong.code, 2)
  assert.match(wrong.stdout, /^wasm +available/m)
  assert.match(wrong.stderr, /^fovea: FOVEA_ENGINE: no engine has this name: .* got 'wsam'; did you mean 'wasm'\?\n$/)
})

test('help: every option of every command, within 80 columns', async () => {
  const overview = await fine('--help')
  for (const [name, { options }] of Object.entries(commands)) {
    assert.match(overview, new RegExp(`^  ${name} `, 'm'))
    const help = await fine(name, '--help')
    for (const option of Object.keys(options)) {
      const flag = option.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
      assert.match(help, new RegExp(String.raw`^  --(\[no-\])?${flag} `, 'm'))
    }
    for (const line of help.split('\n')) assert.ok(line.length <= 80 || line.startsWith('  fovea'), line)
  }
  assert.equal(await fine('help', 'train'), await fine('train', '--help'))
  assert.match(await fine('--version'), /^\d+\.\d+\.\d+\n$/)
})

const train = `train lenet ${small.join(' ')}`
/** Command lines that fail: their exit codes, and what stderr says. */
const failures: [words: string, code: number, says: RegExp][] = [
  ['trian', 2, /no command 'trian'; did you mean 'train'/],
  ['train', 2, /train: <network> is missing/],
  [
    'train lenet --data digits --samples 20 --test-samples 10 --out /proc/fovea/run',
    7,
    /run: cannot be made: got ENOENT/,
  ],
  ['train --resume FOLDER/none', 7, /none.config\.json: there is no such file/],
  ['train lenet --resume FOLDER', 2, /already has its network and its folder: got 'lenet'/],
  ['train lenet', 2, /'--data' is missing: expected 'mnist', 'digits'/],
  ['train lenett --data digits', 2, /'lenett'; did you mean 'lenet'/],
  ['train lenet lenet --data digits', 2, /one argument too many: got 'lenet'/],
  ['train lenet --data digits --epcohs 3', 2, /unknown option '--epcohs'; did you mean '--epochs'/],
  ['train lenet --data digits --epochs', 2, /'--epochs' needs a value: expected an integer >= 1/],
  ['train lenet --data digits --epochs --steps', 2, /'--epochs' is wrong: .* got '--steps'/],
  ['train lenet --data digits --threads 0', 2, /'--threads' is wrong: expected an integer >= 1 .* got 0/],
  ['train lenet --data digits --seed -1', 2, /'--seed' is wrong: expected an integer >= 0, got -1/],
  ['train lenet --data mnist --samples 9', 2, /'--samples' does nothing here: it belongs to --data digits/],
  ['train lenet --data digits --no-json=yes', 2, /unknown option '--no-json'/],
  ['train lenet --data mnist --data-dir FOLDER', 3, /mnist: the four files are not together/],
  [`${train} --out src`, 2, /src: the folder is not empty/],
  [`${train} --out package.json/run`, 7, /package.json\/run: cannot be used as a folder: got ENOTDIR/],
  [`${train} --learning-rate 1e30 --out FOLDER/diverged`, 6, /not a finite number; .* lower the learning rate/],
  [`${train} --batch-size 1000000 --samples 1000000 --out FOLDER/huge`, 5, /needs more memory than the engine has/],
  ['train firstConvnet --data digits', 2, /^fovea: firstConvnet: has no layers that classify, .*; fovea summary first/],
  ['find-learning-rate firstConvnet --data digits', 2, /firstConvnet: has no layers that classify/],
  [
    'evaluate firstConvnet --data digits',
    2,
    /'firstConvnet' has not been trained; fovea summary firstConvnet shows it/,
  ],
  ['evaluate lenet --data digits', 2, /'lenet' has not been trained.*fovea train lenet/],
  ['evaluate missing.safetensors --data digits', 7, /^fovea: missing.safetensors: there is no such file\n$/],
  ['evaluate package.json --data digits', 3, /^fovea: package.json at byte 0: the length of the header/],
  ['predict package.json', 2, /predict: <picture> is missing/],
  [
    `${train} --early-stopping 3`,
    2,
    /'--early-stopping' needs val_loss, and there is none; .* --validation-split 0\.2/,
  ],
  [`${train} --reduce-on-plateau 3`, 2, /'--reduce-on-plateau' needs val_loss/],
  ['predict src x.png', 7, /^fovea: src: there is no model.safetensors in this folder\n$/],
  ['summary lenet --samples 9', 2, /^fovea: summary: --samples is for --time; add --time\n$/],
  ['summary lenet --engine wasm', 2, /--engine is for --time; add --time/],
  [
    'summary lenet --details --style keras2',
    2,
    /--style is for the table that --details replaces; leave one of the two/,
  ],
  ['summary --columns wide lenet', 2, /'--columns' is wrong: expected an integer >= 1, got 'wide'/],
]
describe('what goes wrong is said on stderr alone', { concurrency: 2 }, () => {
  for (const [words, code, says] of failures)
    test(`fovea ${words}`, async () => {
      const result = await fovea(...words.replace('FOLDER', folder).split(' '))
      assert.match(result.stderr, says)
      assert.doesNotMatch(result.stderr, /\n./) // one line, no stack
      assert.equal(result.code, code)
    })
})

test('a reader that leaves ends the command quietly', async () => {
  const child = start(['train', 'lenet', ...small, '--log-every', '1', '--out', inFolder('unread')])
  child.stdout!.once('data', () => child.stdout!.destroy())
  const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
  assert.deepEqual([code, stderr], [141, ''])
})

test('the bar: never wider than the terminal, and whole at the end', async () => {
  for (const columns of [60, 80, 120]) {
    const [drawn, printed]: string[][] = [[], []]
    const plain = (parts: readonly Segment[]): string =>
      parts.map((part) => (typeof part === 'string' ? part : part.text)).join('')
    const bar = progressBar({
      isLive: true,
      hasStyles: false,
      columns,
      print: (...line) => printed.push(plain(line)),
      printLines: assert.fail,
      draw: (...line) => drawn.push(plain(line)),
      note: assert.fail,
    })
    const logs = { accuracy: 0.98765, loss: 0.00004321 }
    const progress = {
      epoch: 1,
      epochs: 2,
      batch: 234,
      batches: 469,
      step: 234,
      samples: 29_952,
      learningRate: 0.001,
      imagesPerSecond: 5123.4,
      secondsLeft: 65,
    }
    const record = { epoch: 1, seconds: 131, samples: 48_000, learningRate: 0.001, ...logs }
    const control = {} as TrainingControl // a bar only looks on
    await bar.onEpochBegin?.(1, control)
    await bar.onBatchEnd?.({ ...progress, logs, batchLogs: logs } satisfies Progress, control)
    await bar.onEpochEnd?.({ ...record, val_accuracy: 0.5, val_loss: 1 }, control)
    assert.ok(drawn.every((line) => line.length <= columns))
    if (columns === 120) {
      const bars = '━━━━━━━━━──────────'
      assert.equal(drawn[0], `234/469 ${bars}─ 1:05 5123 images/s - accuracy: 0.9877 - loss: 4.3210e-05`)
    }
    assert.ok(printed.slice(1).every((line) => line.length <= columns))
    assert.match(printed.join('\n'), /2:11 5123 images\/s/)
    assert.match(printed.at(-1) ?? '', /val_loss: 1\.0000$/)
  }
})
