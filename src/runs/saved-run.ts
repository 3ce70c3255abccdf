/** Reading the folder of a run: what was asked for, and how it went. */
import { join } from 'node:path'
import { readFile } from '#platform'
import { FoveaError, locate } from '../base/errors.ts'
import { settle } from '../base/options.ts'
import type { EngineName } from '../engines/index.ts'
import { engineNames, engines } from '../engines/index.ts'
import { CONFIG_FILE, HISTORY_FILE } from './run-folder.ts'
import type { RunOptions, RunRequest } from './run-options.ts'
import { runOptions } from './run-options.ts'

/** A line of a run's history: `event` is 'step', 'epoch' or 'test'; the rest are its numbers. */
export interface RunEvent {
  readonly event: string
  readonly [name: string]: unknown
}

/** What the folder of a run says about it. */
export interface SavedRun {
  readonly path: string
  /** The content of config.json. */
  readonly config: Readonly<Record<string, unknown>>
  /** Steps, epochs and the test, in their order; empty before the first step. */
  readonly events: readonly RunEvent[]
}

/** Reads a run's configuration and history; a line that a running training has half written is left out. Throws E_IO where there is none, E_FILE where it is damaged. */
export async function readRun(path: string): Promise<SavedRun> {
  const history = await textOf(join(path, HISTORY_FILE))
  const whole = history?.slice(0, history.lastIndexOf('\n') + 1)
  const lines = whole?.split('\n').filter((line) => line !== '') ?? []
  const events = lines.map((line, i) => recordOf(line, `${join(path, HISTORY_FILE)}, line ${i + 1}`) as RunEvent)
  return { path, config: await configOf(path), events }
}

/**
 * What the run in `path` was asked, with the options in `given` instead of its own: for a run that continues. The engine
 * is the one that it began on, since a checkpoint only continues on its engine.
 */
export async function requestOf(path: string, given: Partial<RunOptions> = {}): Promise<RunRequest> {
  const config = await configOf(path)
  const { network, options, engine } = config as { network?: unknown; options?: unknown; engine?: { name?: unknown } }
  const file = join(path, CONFIG_FILE)
  if (typeof network !== 'string' || typeof options !== 'object' || options === null) {
    throw new FoveaError('E_FILE', { what: 'does not describe a training', where: file, hint: wantsRun })
  }
  const { out: _, ...begun } = options as Record<string, unknown>
  const { engine: asked = await engineOfBegin(engine?.name, path), ...now } = given
  const all = { ...begun, engine: asked, ...now }
  return { network, options: locate(file, () => settle(runOptions, all, 'options')) }
}

const wantsRun = 'name the folder of a run, as in --resume runs/lenet-2026-01-31-09-05-00'

/** The engine that a run began with, which `auto` chose then. */
async function engineOfBegin(name: unknown, run: string): Promise<EngineName | undefined> {
  const known = engineNames.find((engine) => engine === name)
  const missing = known && (await engines[known].missing())
  if (missing === undefined) return known
  throw new FoveaError('E_ENGINE', {
    what: `the run began on the engine ${known}, which is not here`,
    where: run,
    got: missing,
    hint: `a checkpoint only continues on its engine; fovea train ${run} --data ... trains its model further on another`,
  })
}

async function configOf(path: string): Promise<Record<string, unknown>> {
  const file = join(path, CONFIG_FILE)
  const text = await textOf(file)
  if (text === undefined) throw new FoveaError('E_IO', { what: 'there is no such file', where: file, hint: wantsRun })
  if (text === '') throw new FoveaError('E_FILE', { what: 'the run has not begun', where: file, hint: wantsRun })
  return recordOf(text, file)
}

async function textOf(path: string): Promise<string | undefined> {
  const bytes = await readFile(path)
  return bytes && new TextDecoder().decode(bytes)
}

function recordOf(text: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // said below
  }
  throw new FoveaError('E_FILE', { what: 'is not a JSON object', where })
}
