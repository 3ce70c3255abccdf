/** A folder of checkpoints belongs to one training at a time. What a crash leaves behind blocks nobody. */
import { codeOf, disk, ioFailure, processMark } from '#platform'
import { FoveaError } from '../base/errors.ts'

const CLAIM = '.training'

/** Folders that trainings of this process are in. */
const own = new Set<string>()

/** Takes a folder, made when it is not there; gives what gives it back. Throws E_OPTION where another training uses it. */
export async function claimFolder(folder: string): Promise<() => Promise<void>> {
  const path = `${folder}/${CLAIM}`
  const [whole] = disk.foldersAbove(path)
  if (own.has(whole)) throw taken(folder)
  own.add(whole)
  try {
    await disk.mkdir(folder)
    while (!(await write(path))) await removeStale(path, folder)
  } catch (error) {
    own.delete(whole)
    throw error instanceof FoveaError ? error : ioFailure(folder, 'used for checkpoints', error)
  }
  return async () => {
    await disk.unlink(path).catch(() => undefined) // gone, or no longer in the way once this process has ended
    own.delete(whole)
  }
}

/** Makes the file that says which process it is; false where there is one. */
async function write(path: string): Promise<boolean> {
  try {
    const file = await disk.open(path) // fails where another process has made it: this decides
    try {
      await file.write(new TextEncoder().encode((await processMark()) ?? ''))
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Takes away what a process left behind that is no more; throws where it still is. */
async function removeStale(path: string, folder: string): Promise<void> {
  const markIn = async (from: string): Promise<string> => new TextDecoder().decode(await disk.read(from))
  try {
    const mark = await markIn(path)
    const now = await processMark(Number(/^\d+/.exec(mark)?.[0]))
    if (mark !== '' && now === mark && mark !== (await processMark())) throw taken(folder)
    const aside = `${path}.${crypto.randomUUID()}`
    await disk.rename(path, aside) // of several who do so, one gets it
    if ((await markIn(aside)) !== mark)
      await disk.rename(aside, path) // another was faster, and has claimed it
    else await disk.unlink(aside)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

const taken = (folder: string): FoveaError =>
  new FoveaError('E_OPTION', {
    what: 'another training uses this folder of checkpoints',
    where: folder,
    hint: 'wait for its end, or name another folder',
  })
