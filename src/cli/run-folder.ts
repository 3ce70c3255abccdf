/** The folder that a training run leaves behind: what was asked for, how it went, and the model. */
import { appendFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFile } from '#platform'
import { FoveaError } from '../base/errors.ts'

export const CONFIG_FILE = 'config.json'
export const HISTORY_FILE = 'history.jsonl'
export const MODEL_FILE = 'model.safetensors'

export interface RunFolder {
  readonly path: string
  readonly modelPath: string
  writeConfig(config: object): Promise<void>
  /** Adds a line to the history. */
  append(line: string): void
}

/** Makes the folder; nothing that is there already is ever overwritten. Without `path` it is `runs/<name>-<date>-<time>`. */
export async function makeRunFolder(given: { path: string | undefined; name: string; now: Date }): Promise<RunFolder> {
  const path = given.path ?? (await unusedPath(join('runs', `${given.name}-${stampOf(given.now)}`)))
  await checkRunFolder(path)
  await mkdir(path, { recursive: true }).catch((error) => {
    throw failure(path, 'made', error)
  })
  const historyPath = join(path, HISTORY_FILE)
  return {
    path,
    modelPath: join(path, MODEL_FILE),
    writeConfig: (config) =>
      writeFile(join(path, CONFIG_FILE), new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)),
    append(line) {
      try {
        appendFileSync(historyPath, `${line}\n`)
      } catch (error) {
        throw failure(historyPath, 'written', error)
      }
    },
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
