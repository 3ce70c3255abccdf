/** A folder of checkpoints among processes: never two in one, and nothing that is left behind is in the way. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { claimFolder } from '../../src/saved/folder-claim.ts'

const base = await mkdtemp(join(tmpdir(), 'fovea-claim-'))
after(() => rm(base, { recursive: true }))

const ROUNDS = 40
/** Claims folder after folder, each at the same moment as the others do; tells which ones it got, and waits to be ended. */
const script = `
  const { claimFolder } = await import(${JSON.stringify(new URL('../../src/saved/folder-claim.ts', import.meta.url).href)})
  const got = []
  console.log('ready')
  await new Promise((go) => process.stdin.once('data', go))
  const start = performance.timeOrigin + performance.now() + 20
  for (let round = 0; round < ${ROUNDS}; round++) {
    while (performance.timeOrigin + performance.now() < start + 20 * round) {}
    await claimFolder(${JSON.stringify(base)} + '/' + round).then(() => got.push(round), (error) => {
      if (error.code !== 'E_OPTION') throw error
    })
  }
  console.log(JSON.stringify(got))
  process.stdin.once('data', () => process.exit())`

function claimant() {
  const options = ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source', '--input-type=module']
  const child = spawn(process.execPath, [...options, '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  const waiting: ((line: string) => void)[] = []
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    for (const line of part.split('\n').filter(Boolean)) (waiting.shift() ?? ((x) => lines.push(x)))(line)
  })
  const next = (): Promise<string> =>
    new Promise((resolve) => {
      const line = lines.shift()
      if (line === undefined) waiting.push(resolve)
      else resolve(line)
    })
  return { child, next }
}

test('of processes that claim a folder at the same moment, one has it at most', { timeout: 120_000 }, async () => {
  const claimants = Array.from({ length: 4 }, claimant)
  try {
    await Promise.all(claimants.map(({ next }) => next()))
    for (const { child } of claimants) child.stdin.write('go\n')
    const got = await Promise.all(claimants.map(async ({ next }) => JSON.parse(await next()) as number[]))
    const owners = Array.from({ length: ROUNDS }, (_, round) => got.filter((rounds) => rounds.includes(round)).length)
    assert.deepEqual(
      owners.filter((count) => count > 1),
      [],
    )
    assert.ok(owners.includes(1), 'none was ever had')
    const held = owners.indexOf(1)
    await assert.rejects(claimFolder(join(base, `${held}`)), { code: 'E_OPTION' })
    for (const { child } of claimants) child.stdin.end('end\n')
    await Promise.all(claimants.map(({ child }) => text(child.stdout)))
    const giveBack = await claimFolder(join(base, `${held}`)) // they are gone
    assert.equal((await readdir(join(base, `${held}`))).length, 1)
    await giveBack()
    assert.deepEqual(await readdir(join(base, `${held}`)), [])
  } finally {
    for (const { child } of claimants) child.kill()
  }
})
