/** The folder of a training run: what was asked for, how it went, and the model. */
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, disk, ioFailure, writeFile } from '#platform'
import { FoveaError } from '../base/errors.ts'

export const CONFIG_FILE = 'config.json'
export const HISTORY_FILE = 'history.jsonl'
export const MODEL_FILE = 'model.safetensors'
export const CHECKPOINT_FOLDER = 'checkpoints'

export interface RunFolder {
  readonly path: string
  readonly configPath: string
  readonly modelPath: string
  readonly historyPath: string
  readonly checkpointPath: string
  writeConfig(config: object): Promise<void>
}

/** A folder that belongs to one run, which has not begun. */
export interface ClaimedFolder extends RunFolder {
  /** Leaves everything as it was before the claim: for a run that is refused before it begins. */
  giveBack(): Promise<void>
}

/**
 * Makes the folder of a new run: `path`, or `runs/<name>-<date>-<time>` (with a number behind it where that is taken). A
 * folder goes to one run only, also when several ask for it at once. Throws E_OPTION where `path` holds something already.
 */
export async function makeRunFolder(given: {
  path: string | undefined
  name: string
  now: Date
}): Promise<ClaimedFolder> {
  if (given.path !== undefined) {
    const claimed = await claim(given.path)
    if (claimed) return claimed
    throw taken(given.path)
  }
  const stem = join('runs', `${given.name}-${stampOf(given.now)}`)
  for (let n = 1; ; n++) {
    const claimed = await claim(n === 1 ? stem : `${stem}-${n}`)
    if (claimed) return claimed
  }
}

/** The folder of a run that has begun. */
export function runFolderAt(path: string): RunFolder {
  const configPath = join(path, CONFIG_FILE)
  return {
    path,
    configPath,
    modelPath: join(path, MODEL_FILE),
    historyPath: join(path, HISTORY_FILE),
    checkpointPath: join(path, CHECKPOINT_FOLDER),
    writeConfig: (config) => writeFile(configPath, new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)),
  }
}

/** Throws E_OPTION when `path` cannot become the folder of a run: asked early, it saves the wait for the data. */
export async function checkRunFolder(path: string): Promise<void> {
  if (((await entriesOf(path)) ?? []).length > 0) throw taken(path)
}

/** Takes a folder that is not there or empty; undefined where it is neither, or another run was faster. */
async function claim(path: string): Promise<ClaimedFolder | undefined> {
  const folder = runFolderAt(path)
  try {
    const isNew = await disk.mkdir(path)
    if (!isNew && ((await entriesOf(path)) ?? []).length > 0) return undefined
    const file = await open(folder.configPath, 'wx') // fails where another run has made it: this decides
    await file.close()
    const made = isNew ? [path] : [folder.checkpointPath, folder.configPath] // the claim last
    const giveBack = async () => {
      for (const one of made) await rm(one, { recursive: true, force: true })
    }
    return { ...folder, giveBack }
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await isFolder(path))) return undefined
    throw error instanceof FoveaError ? error : ioFailure(path, 'made', error)
  }
}

const isFolder = (path: string): Promise<boolean> =>
  readdir(path).then(
    () => true,
    () => false,
  )

/** The names in a folder, or undefined when there is none yet. */
async function entriesOf(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw ioFailure(path, 'used as a folder', error)
  }
}

const taken = (path: string): FoveaError =>
  new FoveaError('E_OPTION', {
    what: 'the folder is not empty, and its files are not overwritten',
    where: path,
    hint: 'name another one with --out, or leave out --out',
  })

/** `2026-01-31-09-05-00`, in local time. */
const stampOf = (date: Date): string => date.toLocaleString('sv').replaceAll(/[ :]/g, '-')
