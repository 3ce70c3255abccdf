/** Callbacks that write logs: CSV and lines of JSON. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { callbacks } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { played } from '../support/played.ts'
import { points, tiny } from '../support/tiny-model.ts'

const { csvLogger, jsonLogger } = callbacks
const folder = await mkdtemp(join(tmpdir(), 'fovea-logs-'))
after(() => rm(folder, { recursive: true }))
let names = 0
const newPath = (): string => join(folder, String(names++))

const logged = [{ loss: 0.5, accuracy: 0.25 }, { loss: 0.375, accuracy: 1 }, { loss: 1e-7 }]
const lines = ['epoch,accuracy,loss', '0,0.25,0.5', '1,1,0.375', '2,NA,1e-7', '']
const csvs: [
  what: string,
  options: { separator?: string; append?: boolean },
  before: string | undefined,
  after: string,
][] = [
  ['a header, epochs from 0, NA for what is missing', {}, undefined, lines.join('\n')],
  ['another separator', { separator: '\t' }, undefined, lines.join('\n').replaceAll(',', '\t')],
  [
    'a separator that is in numbers',
    { separator: '.' },
    undefined,
    'epoch.accuracy.loss\n0."0.25"."0.5"\n1.1."0.375"\n2.NA.1e-7\n',
  ],
  ['what was there before is gone', {}, 'old\n', lines.join('\n')],
  [
    'on at the end, without a second header',
    { append: true },
    lines.join('\n'),
    [...lines.slice(0, 4), ...lines.slice(1)].join('\n'),
  ],
  ['on at the end of nothing', { append: true }, undefined, lines.join('\n')],
  ['on at the end of an empty file', { append: true }, '', lines.join('\n')],
  [
    'under a header in another order, with more',
    { append: true },
    'loss,val_loss,epoch,accuracy\n',
    'loss,val_loss,epoch,accuracy\n0.5,,0,0.25\n0.375,,1,1\n1e-7,,2,NA\n',
  ],
  [
    'under a quoted header of other line ends',
    { append: true },
    '\ufeff"epoch","a ""b"",\nc",loss,accuracy\r\n',
    '\ufeff"epoch","a ""b"",\nc",loss,accuracy\r\n0,,0.5,0.25\n1,,0.375,1\n2,,1e-7,NA\n',
  ],
  [
    'under a column that is called as something of every object',
    { append: true },
    'epoch,accuracy,loss,constructor\n',
    'epoch,accuracy,loss,constructor\n0,0.25,0.5,\n1,1,0.375,\n2,NA,1e-7,\n',
  ],
  [
    'behind a last line that was cut short',
    { append: true },
    'epoch,accuracy,loss\n0,1',
    'epoch,accuracy,loss\n0,1\n0,0.25,0.5\n1,1,0.375\n2,NA,1e-7\n',
  ],
]
for (const [what, options, before, wanted] of csvs) {
  test(`csvLogger: ${what}`, async () => {
    const path = newPath()
    if (before !== undefined) await writeFile(path, before)
    await played(csvLogger({ path, ...options }), logged)
    assert.equal(await readFile(path, 'utf8'), wanted)
  })
}

for (const header of ['epoch,loss\n', 'old\n', 'epoch;accuracy;loss\n', '0,0.25,0.5\n']) {
  test(`csvLogger does not go on under ${JSON.stringify(header)}, which has no column for a log`, async () => {
    const path = newPath()
    await writeFile(path, header)
    const refused = failure('E_OPTION', path, 'accuracy', "again without 'append'")
    await assert.rejects(played(csvLogger({ path, append: true }), logged), refused)
    assert.equal(await readFile(path, 'utf8'), header)
  })
}

test('csvLogger in a training: a second one with data for validation has no columns for them', async () => {
  const path = newPath()
  const model = tiny()
  await model.fit(points(12), { callbacks: [csvLogger({ path })] })
  const before = await readFile(path, 'utf8')
  const more = { validationSplit: 0.25, callbacks: [csvLogger({ path, append: true })] }
  await assert.rejects(model.fit(points(12), more), failure('E_OPTION', path, 'val_accuracy, val_loss'))
  assert.equal(await readFile(path, 'utf8'), before)
})

test('csvLogger quotes what is no plain cell, and reads it again', async () => {
  const path = newPath()
  const odd = { 'a,b_loss': 1, 'say "x"_loss': 2, 'two\nlines_loss': 3 }
  await played(csvLogger({ path }), [odd])
  const header = 'epoch,"a,b_loss","say ""x""_loss","two\nlines_loss"\n'
  assert.equal(await readFile(path, 'utf8'), `${header}0,1,2,3\n`)
  await played(csvLogger({ path, append: true }), [odd])
  assert.equal(await readFile(path, 'utf8'), `${header}0,1,2,3\n0,1,2,3\n`)
})

for (const separator of ['', '"', '\n', ', ']) {
  test(`csvLogger refuses ${JSON.stringify(separator)} between columns`, () =>
    assert.throws(() => csvLogger({ path: 'x', separator }), failure('E_OPTION', 'csvLogger', 'separator')))
}

for (const make of [csvLogger, jsonLogger]) {
  test(`${make.name} that is new in a training that goes on begins its file, or goes on at its end`, async () => {
    const resumed = { path: 'checkpoint', step: 3, skipped: [] }
    const linesOf = async (append: boolean, path: string): Promise<number> => {
      await played(make({ path, append }), logged, { resumed })
      return (await readFile(path, 'utf8')).trimEnd().split('\n').length
    }
    const path = newPath()
    await writeFile(path, 'epoch,accuracy,loss\n')
    const header = make === csvLogger ? 1 : 0
    assert.equal(await linesOf(true, path), 1 + logged.length)
    assert.equal(await linesOf(false, path), header + logged.length)
  })
}

test('csvLogger goes on after a checkpoint in a file that was taken away, under a new header', async () => {
  const path = newPath()
  const logger = csvLogger({ path })
  await played(logger, logged)
  const state = logger.state?.()
  await rm(path)
  const next = csvLogger({ path })
  await next.restore?.(state as never)
  await played(next, logged, { resumed: { path: 'checkpoint', step: 3, skipped: [] } })
  assert.equal(await readFile(path, 'utf8'), lines.join('\n'))
})

test('csvLogger begins anew with the next training, by the logs of that one', async () => {
  const path = newPath()
  const logger = csvLogger({ path })
  await played(logger, logged)
  await played(logger, [{ loss: 2, val_loss: 3 }])
  assert.equal(await readFile(path, 'utf8'), 'epoch,loss,val_loss\n0,2,3\n')
  const both = csvLogger({ path, append: true })
  await played(both, [{ loss: 4, val_loss: 5 }])
  await played(both, [{ loss: 6, val_loss: 7 }])
  assert.equal(await readFile(path, 'utf8'), 'epoch,loss,val_loss\n0,2,3\n0,4,5\n0,6,7\n')
})

const events: [what: string, every: number | undefined, events: string[]][] = [
  ['epochs alone', undefined, ['epoch 1', 'epoch 2']],
  ['every second step', 2, ['step 2', 'epoch 1', 'step 4', 'step 6', 'epoch 2']],
  ['every step', 1, ['step 1', 'step 2', 'step 3', 'epoch 1', 'step 4', 'step 5', 'step 6', 'epoch 2']],
]
for (const [what, every, wanted] of events) {
  test(`jsonLogger: ${what}`, async () => {
    const path = newPath()
    const logger = jsonLogger({ path, ...(every !== undefined && { every }) })
    const { epochs } = await tiny().fit(points(12), { epochs: 2, batchSize: 4, callbacks: [logger] })
    const text = await readFile(path, 'utf8')
    assert.ok(text.endsWith('}\n'))
    const objects = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      objects.map(({ event, step, epoch }) => `${event} ${event === 'step' ? step : epoch}`),
      wanted,
    )
    const last = objects.at(-1)
    assert.deepEqual(last, { event: 'epoch', ...epochs[1] })
    for (const { event, learningRate, batchLogs } of objects) {
      assert.equal(learningRate, 0.001)
      if (event === 'step') assert.deepEqual(Object.keys(batchLogs), ['accuracy', 'loss'])
    }
  })
}

test('jsonLogger begins anew, or goes on at the end', async () => {
  const path = newPath()
  const countOf = async (append: boolean): Promise<number> => {
    await played(jsonLogger({ path, append }), logged)
    return (await readFile(path, 'utf8')).trimEnd().split('\n').length
  }
  assert.deepEqual([await countOf(false), await countOf(true), await countOf(false)], [3, 6, 3])
})
