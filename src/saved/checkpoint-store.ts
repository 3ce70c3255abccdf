/** A folder of checkpoints: a new one is durable before an old one goes, and the newest that loads is found again. */
import { codeOf, type Disk, fsyncFoldersAbove, ioFailure, disk as platformDisk, writeDurably } from '#platform'
import { FoveaError } from '../base/errors.ts'
import { type Checkpoint, checkpointFromBytes, checkpointToBytes } from './checkpoint.ts'

export interface FoundCheckpoint {
  readonly checkpoint: Checkpoint
  readonly step: number
  readonly path: string
  /** Newer ones that do not load, and why. */
  readonly skipped: readonly { readonly path: string; readonly error: FoveaError }[]
}

export interface Checkpoints {
  /**
   * Writes a checkpoint and resolves to its path once no crash can take it away; then the oldest beyond `keep` go.
   * Saves happen in the order of the calls; tensors and facts are read before this returns its promise. Rejects with
   * E_IO, the older ones intact, or with E_OPTION when one of a later step is there that `latest` has not found unreadable.
   */
  save(step: number, checkpoint: Checkpoint): Promise<string>
  /** As `latestCheckpoint`. What it skips, the next save replaces (the same step) or renames to `....unreadable`. */
  latest(): Promise<FoundCheckpoint | undefined>
}

/** One of the files, by name and step. */
interface Entry {
  readonly name: string
  readonly step: number
}

interface FolderOnDisk {
  readonly folder: string
  readonly disk: Disk
}

const DRAFT = 'checkpoint-'
const nameOf = (step: number): string => `checkpoint-${String(step).padStart(10, '0')}.safetensors`
const isDraft = (name: string): boolean => name.startsWith(`.${DRAFT}`) && name.endsWith('.tmp')

/** The newest checkpoint of a folder that loads, or undefined when there is none; E_FILE when there are and none loads. Only reads. */
export async function latestCheckpoint(
  folder: string,
  { disk = platformDisk }: { disk?: Disk } = {},
): Promise<FoundCheckpoint | undefined> {
  const skipped: { path: string; error: FoveaError }[] = []
  const entries = await list({ folder, disk })
  for (const { name, step } of entries) {
    const path = `${folder}/${name}`
    try {
      return { checkpoint: await checkpointFromBytes(await disk.read(path), path), step, path, skipped }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return latestCheckpoint(folder, { disk }) // another process saves here: look again
      skipped.push({ path, error: ioFailure(path, 'read', error) })
    }
  }
  if (skipped.length === 0) return undefined
  throw new FoveaError('E_FILE', {
    what: 'there are checkpoints, but none of them can be loaded',
    where: folder,
    got: skipped.map(({ error }) => error.message).join(' | '),
    cause: skipped[0].error,
  })
}

/**
 * Opens a folder for the checkpoints of one run, made when it is not there. Drafts that a crash left behind are removed.
 * Throws E_IO when nothing can be written there, before there is anything to lose.
 */
export async function openCheckpoints(
  folder: string,
  { keep = 2, disk = platformDisk }: { keep?: number; disk?: Disk } = {},
): Promise<Checkpoints> {
  if (!(Number.isSafeInteger(keep) && keep >= 1)) {
    throw new FoveaError('E_OPTION', { what: "'keep' is wrong", expected: 'an integer >= 1', got: String(keep) })
  }
  const onDisk = { folder, disk }
  await prepare(onDisk)
  const unreadable = new Set<string>()
  let saved: Promise<unknown> = Promise.resolve()
  return {
    save(step, checkpoint) {
      const bytes = checkpointToBytes(checkpoint)
      const saving = Promise.all([bytes, saved]).then(([ready]) =>
        save(onDisk, { step, bytes: ready, keep, unreadable }),
      )
      saved = saving.catch(() => undefined)
      return saving
    },
    async latest() {
      const found = await latestCheckpoint(folder, { disk })
      for (const { path } of found?.skipped ?? []) unreadable.add(path.slice(folder.length + 1))
      return found
    },
  }
}

/** Makes the folder, removes dead drafts, and tries whether files can be made. */
async function prepare({ folder, disk }: FolderOnDisk): Promise<void> {
  const trial = `${folder}/.${DRAFT}${crypto.randomUUID()}.tmp`
  try {
    await disk.mkdir(folder)
    await fsyncFoldersAbove(disk, folder) // even one that was there may have been made just now
    for (const name of await disk.readdir(folder)) if (isDraft(name)) await disk.unlink(`${folder}/${name}`)
    await (await disk.open(trial)).close()
    await disk.unlink(trial)
  } catch (error) {
    await disk.unlink(trial).catch(() => undefined) // the first error is the one to tell
    throw ioFailure(folder, 'used for checkpoints', error)
  }
}

interface Save {
  readonly step: number
  readonly bytes: Uint8Array
  readonly keep: number
  readonly unreadable: Set<string>
}

async function save(onDisk: FolderOnDisk, { step, bytes, keep, unreadable }: Save): Promise<string> {
  if (!(Number.isSafeInteger(step) && step >= 0)) {
    throw new FoveaError('E_OPTION', { what: "'step' is wrong", expected: 'an integer >= 0', got: String(step) })
  }
  const { folder, disk } = onDisk
  const name = nameOf(step)
  const path = `${folder}/${name}`
  const others = (await list(onDisk)).filter((entry) => entry.name !== name)
  const later = others.find((entry) => entry.step > step && !unreadable.has(entry.name))
  if (later) {
    throw new FoveaError('E_OPTION', {
      what: `holds a checkpoint of step ${later.step}, later than ${step}: of another run?`,
      where: folder,
      hint: 'resume from it, or choose another folder',
    })
  }
  await writeDurably(disk, path, bytes, { draftPrefix: DRAFT })
  unreadable.delete(name)
  for (const { name: old } of others.filter((entry) => unreadable.has(entry.name))) {
    await removing(`${folder}/${old}`, path, (from) => disk.rename(from, `${from}.unreadable`))
  }
  for (const { name: old } of others.filter((entry) => !unreadable.has(entry.name)).slice(keep - 1)) {
    await removing(`${folder}/${old}`, path, (from) => disk.unlink(from))
  }
  unreadable.clear()
  return path
}

/** Takes an old file away; one that is gone already is no fault. */
async function removing(old: string, path: string, action: (path: string) => Promise<void>): Promise<void> {
  try {
    await action(old)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw ioFailure(old, `removed, though the new one is safe in ${path}`, error)
  }
}

/** The checkpoints of a folder, the newest first. */
async function list({ folder, disk }: FolderOnDisk): Promise<Entry[]> {
  const names = await disk.readdir(folder).catch((error) => {
    if (codeOf(error) === 'ENOENT') return []
    throw ioFailure(folder, 'listed', error)
  })
  return names
    .map((name) => ({ name, step: Number(/^checkpoint-(\d+)\.safetensors$/.exec(name)?.[1]) }))
    .filter(({ step }) => Number.isSafeInteger(step))
    .sort((a, b) => b.step - a.step)
}
