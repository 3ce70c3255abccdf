/** What a signal to `npm run` ends: the task, and everything that the task has started. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'

const skip = process.platform !== 'linux' && 'reads /proc'

/** Numbers of the processes whose environment holds this text. */
const marked = (mark: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').includes(mark)
      } catch {
        return false // it has ended meanwhile
      }
    })
    .map(Number)

/** Waits until `isSo`, for up to a minute: a busy machine takes its time. */
async function until(isSo: () => boolean): Promise<boolean> {
  for (let i = 0; i < 600 && !isSo(); i++) await setTimeout(100)
  return isSo()
}

async function begun({ stderr }: ChildProcess, line: RegExp): Promise<void> {
  for await (const said of createInterface({ input: stderr! })) if (line.test(said)) return
  assert.fail(`it ended without ${line}`)
}

test('SIGTERM to npm run bench ends the bench and those that it has started', { skip }, async (t) => {
  const mark = `FOVEA_TEST_MARK=${crypto.randomUUID()}`
  const words = ['run', 'bench', '--', '--workload', 'lenet', '--mode', 'train', '--engine', 'wasm']
  const env = { ...process.env, FOVEA_TEST_MARK: mark.split('=')[1] }
  const child = spawn('npm', words, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => {
    for (const pid of marked(mark)) process.kill(pid, 'SIGKILL')
  })
  await begun(child, /^bench: lenet, train/)
  assert.ok(await until(() => marked(mark).length >= 4), 'npm, its task, the bench and a contestant') // the shell may be one more
  child.kill('SIGTERM')
  const [code, signal] = await once(child, 'exit')
  assert.ok(code === 143 || signal === 'SIGTERM', `${code} ${signal}`)
  assert.ok(await until(() => marked(mark).length === 0), `still there: ${marked(mark)}`)
})

test('SIGTERM to the bench itself: exit code 143, and nobody is left', { skip }, async (t) => {
  const mark = `FOVEA_TEST_MARK=${crypto.randomUUID()}`
  const flags = ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source']
  const words = [...flags, 'bench/run.ts', '--workload', 'lenet', '--mode', 'train', '--engine', 'wasm']
  const env = { ...process.env, FOVEA_TEST_MARK: mark.split('=')[1] }
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => {
    for (const pid of marked(mark)) process.kill(pid, 'SIGKILL')
  })
  await begun(child, /^bench: lenet, train/)
  assert.ok(await until(() => marked(mark).length >= 2), 'the bench and a contestant')
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [143, null])
  assert.ok(await until(() => marked(mark).length === 0), `still there: ${marked(mark)}`)
})
