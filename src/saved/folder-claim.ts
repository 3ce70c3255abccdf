/** A folder of checkpoints belongs to one training at a time. What a crash leaves behind blocks nobody. */
import { codeOf, disk, ioFailure, processMark } from '#platform'
import { FoveaError } from '../base/errors.ts'

/** What the name of a claim begins with. */
const CLAIM = '.training'

/** Folders that trainings of this process are in. */
const own = new Set<string>()

/**
 * Takes a folder, made when it is not there; gives what gives it back. Throws E_OPTION where another training uses it.
 *
 * Everyone writes a claim of its own and then looks for others: whoever comes second sees the first, so that two never have
 * the folder, and no claim is ever written over. Of two at the very same time both may be refused.
 */
export async function claimFolder(folder: string): Promise<() => Promise<void>> {
  const name = `${CLAIM}-${crypto.randomUUID()}`
  const path = `${folder}/${name}`
  const [whole] = disk.foldersAbove(path)
  if (own.has(whole)) throw taken(folder)
  own.add(whole)
  const giveBack = async (): Promise<void> => {
    await disk.unlink(path).catch(() => undefined) // gone, or no longer in the way once this process has ended
    own.delete(whole)
  }
  try {
    await disk.mkdir(folder)
    await write(path, `${folder}/.${name}`)
    const others = (await disk.readdir(folder)).filter((other) => other.startsWith(CLAIM) && other !== name)
    for (const other of others) if (await isHeld(`${folder}/${other}`)) throw taken(folder)
    for (const other of others) await disk.unlink(`${folder}/${other}`).catch(unlessGone)
    return giveBack
  } catch (error) {
    await giveBack()
    throw error instanceof FoveaError ? error : ioFailure(folder, 'used for checkpoints', error)
  }
}

/** Makes the file that says which process it is; nobody sees it before it is whole. */
async function write(path: string, draft: string): Promise<void> {
  const file = await disk.open(draft)
  try {
    await file.write(new TextEncoder().encode((await processMark()) ?? ''))
  } finally {
    await file.close()
  }
  await disk.rename(draft, path)
}

/** Is it the claim of another process that runs? */
async function isHeld(path: string): Promise<boolean> {
  const bytes = await disk.read(path).catch(unlessGone)
  if (!bytes) return false
  const mark = new TextDecoder().decode(bytes)
  const now = await processMark(Number(/^\d+/.exec(mark)?.[0]))
  return mark !== '' && mark === now && mark !== (await processMark())
}

function unlessGone(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
}

const taken = (folder: string): FoveaError =>
  new FoveaError('E_OPTION', {
    what: 'another training uses this folder of checkpoints',
    where: folder,
    hint: 'wait for its end, or name another folder',
  })
