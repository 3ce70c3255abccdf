/** MNIST (LeCun, Cortes, Burges 1998): 60,000 + 10,000 handwritten digits, light on dark, 28 x 28. */
import { cacheFolder, dataFolders, listFolder, readFile, sha256, writeFile } from '#platform'
import { FoveaError } from '../../base/errors.ts'
import { flag, type Options, settle, text } from '../../base/options.ts'
import { gunzip, isGzip } from '../../files/gzip.ts'
import { readIdx } from '../../files/idx.ts'
import type { Dataset, Parts } from '../dataset.ts'
import { download } from '../download.ts'
import { fromArrays } from '../in-memory.ts'
import { digitPictures } from '../preprocessing.ts'

export const mnistOptions = {
  dataDir: text({
    says: 'the folder of the four IDX files (train-images-idx3-ubyte and so on, also in mnist or MNIST/raw below it); no other is searched',
    optional: true,
  }),
  download: flag({ says: 'download the files when they are not on this machine', default: true }),
}

/** SHA-256 of the four files, unpacked. */
const files = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
} as const
type FileName = keyof typeof files
const fileNames = Object.keys(files) as FileName[]

/** Their possible names, and where they may be below a folder: as published, and as torchvision keeps them. */
const spellings = (name: FileName): string[] => [name, name.replace('-idx', '.idx')].flatMap((n) => [n, `${n}.gz`])
const places = ['', '/mnist', '/MNIST/raw']

const mirrors = [
  'https://ossci-datasets.s3.amazonaws.com/mnist/',
  'https://storage.googleapis.com/cvdf-datasets/mnist/',
]
/** Without a network the attempt ends within 10 s: each mirror may be silent for its share of them. */
const patience = 10_000 / mirrors.length
/** The largest file has 47 MB. */
const limit = 64 * 2 ** 20

/** Each file unpacked and known to be right, and the folder or mirror they come from. */
interface Source {
  readonly source: string
  readonly contents: Readonly<Record<FileName, Uint8Array>>
}

/**
 * The two parts of MNIST; `source` of each says which folder or mirror they came from. Only `dataDir` is searched when given, else
 * `$FOVEA_DATA`, the cache folder and then the network, which fills the cache.
 */
export async function mnist(options: Options<typeof mnistOptions> = {}): Promise<Parts> {
  const settled = settle(mnistOptions, options, 'mnist')
  const folders = dataFolders(settled.dataDir)
  const { contents, source } =
    (await fromFolders(folders)) ?? (await fromNetwork(folders, settled.download && settled.dataDir === undefined))
  const digits = (part: string, images: FileName, labels: FileName): Dataset =>
    fromArrays({
      name: `mnist ${part}`,
      inputs: { image: { shape: [28, 28, 1], data: readIdx(contents[images], images).data } },
      targets: { label: { shape: [], data: Int32Array.from(readIdx(contents[labels], labels).data) } },
      classNames: Array.from({ length: 10 }, (_, digit) => `${digit}`),
      preprocessing: digitPictures,
      source,
    })
  return {
    train: digits('train', 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'),
    test: digits('test', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'),
  }
}

async function fromFolders(folders: readonly string[]): Promise<Source | undefined> {
  for (const folder of folders.flatMap((root) => places.map((place) => root + place))) {
    const present = (await listFolder(folder))?.files ?? []
    const found = fileNames.map((name) => spellings(name).find((spelling) => present.includes(spelling)))
    if (found.includes(undefined)) continue
    const contents = await eachFile(async (name, i) => {
      const path = `${folder}/${found[i]}`
      return checked(name, (await readFile(path, { limit })) ?? new Uint8Array(), path)
    })
    return { contents, source: folder }
  }
  return undefined
}

async function fromNetwork(searched: readonly string[], allowed: boolean): Promise<Source> {
  const failures: FoveaError[] = []
  for (const source of allowed ? mirrors : []) {
    const answer = await fromMirror(source).catch((error) => {
      if (error instanceof FoveaError) return error
      throw error
    })
    if (answer instanceof FoveaError) failures.push(answer)
    else {
      const kept = await keep(answer.packed)
      return { source: kept ? source : `${source} (the cache folder could not be written)`, contents: answer.contents }
    }
  }
  const found =
    searched.length > 0 ? `looked in ${searched.join(', ')} and below (mnist, MNIST/raw)` : 'no folder to look in'
  throw new FoveaError('E_DATA', {
    what: ['the four files are not together in one place', found, ...failures.map((f) => f.message)].join('; '),
    where: 'mnist',
    expected: `${fileNames.join(', ')} (also .gz)`,
    hint: 'put its files into a folder and name it by dataDir (--data-dir) or the variable FOVEA_DATA; datasets.digits() (--data digits) needs none',
    cause: failures[0],
  })
}

async function fromMirror(mirror: string): Promise<Record<'packed' | 'contents', Source['contents']>> {
  const url = (name: FileName): string => `${mirror}${name}.gz`
  const packed = await eachFile((name) => download(url(name), { limit, patience }))
  return { packed, contents: await eachFile((name) => checked(name, packed[name], url(name))) }
}

/** One file after the other, so that what is wrong with the first is known before the next is fetched. */
async function eachFile(
  read: (name: FileName, index: number) => Promise<Uint8Array>,
): Promise<Record<FileName, Uint8Array>> {
  const contents: Partial<Record<FileName, Uint8Array>> = {}
  for (const [i, name] of fileNames.entries()) contents[name] = await read(name, i)
  return contents as Record<FileName, Uint8Array>
}

/** The unpacked bytes of a file, if they are MNIST's. */
async function checked(name: FileName, bytes: Uint8Array, where: string): Promise<Uint8Array> {
  const unpacked = isGzip(bytes) ? await gunzip(bytes, where, { limit }) : bytes
  const got = await sha256(unpacked)
  if (got === files[name]) return unpacked
  throw new FoveaError('E_DATA', {
    what: 'wrong checksum, this is not the file of MNIST',
    where,
    expected: `SHA-256 ${files[name]}`,
    got,
    hint: 'it is damaged, or of another data set with the same file names (Fashion-MNIST has them)',
  })
}

/** Saves what was downloaded, where that can be done; data in hand are not lost for it. */
async function keep(downloaded: Readonly<Record<FileName, Uint8Array>>): Promise<boolean> {
  const folder = cacheFolder()
  if (folder === undefined) return true
  try {
    for (const name of fileNames) {
      const bytes = downloaded[name] // unpacked already when the mirror said Content-Encoding: gzip
      await writeFile(`${folder}/mnist/${name}${isGzip(bytes) ? '.gz' : ''}`, bytes)
    }
    return true
  } catch (error) {
    if (error instanceof FoveaError) return false
    throw error
  }
}
