/** The folder that a training run leaves behind: what was asked for, how it went, and the model. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { disk, readFile, writeFile } from '#platform'
import { FoveaError } from '../base/errors.ts'

export const CONFIG_FILE = 'config.json'
export const HISTORY_FILE = 'history.jsonl'
export const MODEL_FILE = 'model.safetensors'
export const CHECKPOINT_FOLDER = 'checkpoints'

export interface RunFolder {
  readonly path: string
  readonly modelPath: string
  readonly historyPath: string
  readonly checkpointPath: string
  writeConfig(config: object): Promise<void>
}

/** Makes the folder; nothing that is there already is ever overwritten. Without `path` it is `runs/<name>-<date>-<time>`. */
export async function makeRunFolder(given: { path: string | undefined; name: string; now: Date }): Promise<RunFolder> {
  const path = given.path ?? (await unusedPath(join('runs', `${given.name}-${stampOf(given.now)}`)))
  await checkRunFolder(path)
  await disk.mkdir(path).catch((error) => {
    throw failure(path, 'made', error)
  })
  return runFolderAt(path)
}

/** The folder of a run that has begun. */
export function runFolderAt(path: string): RunFolder {
  return {
    path,
    modelPath: join(path, MODEL_FILE),
    historyPath: join(path, HISTORY_FILE),
    checkpointPath: join(path, CHECKPOINT_FOLDER),
    writeConfig: (config) =>
      writeFile(join(path, CONFIG_FILE), new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)),
  }
}

/** Removes the folder of a run that never began; it was empty, or not there. */
export const removeRunFolder = ({ path }: RunFolder): Promise<void> => rm(path, { recursive: true, force: true })

/** How the run in `path` began: the words of its command, after the name, and the engine that was there then. */
export async function beginOfRun(path: string, command: string): Promise<{ words: string[]; engine?: string }> {
  const file = join(path, CONFIG_FILE)
  const hint = 'name the folder of a run, as in --resume runs/lenet-2026-01-31-09-05-00'
  const bytes = await readFile(file)
  if (!bytes) throw new FoveaError('E_IO', { what: 'there is no such file', where: file, hint })
  const { command: all, engine } = configOf(bytes)
  const [name, ...words] = Array.isArray(all) && all.every((word) => typeof word === 'string') ? all : []
  const used = typeof engine?.name === 'string' && { engine: engine.name }
  if (name === command) return { words, ...used }
  throw new FoveaError('E_FILE', { what: `tells of no ${command} command`, where: file, hint })
}

function configOf(bytes: Uint8Array): { command?: unknown; engine?: { name?: unknown } } {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {}
  } catch {
    return {}
  }
}

/** Throws when `path` cannot become the folder of a run. */
export async function checkRunFolder(path: string): Promise<void> {
  const entries = await entriesOf(path)
  if (entries === undefined || entries.length === 0) return
  throw new FoveaError('E_OPTION', {
    what: 'the folder is not empty, and nothing in it shall be overwritten',
    where: path,
    hint: 'name another one with --out, or leave --out away',
  })
}

/** The names in a folder, or undefined when there is none yet. */
async function entriesOf(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw failure(path, 'used as a folder', error)
  }
}

/** Two runs may begin within a second. */
async function unusedPath(path: string): Promise<string> {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}-${n}`
    if ((await entriesOf(candidate)) === undefined) return candidate
  }
}

/** `2026-01-31-09-05-00`, in the time of the place. */
const stampOf = (date: Date): string => date.toLocaleString('sv').replaceAll(/[ :]/g, '-')

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

function failure(path: string, done: string, cause: unknown): FoveaError {
  return new FoveaError('E_IO', { what: `cannot be ${done}`, where: path, got: codeOf(cause) ?? String(cause), cause })
}
