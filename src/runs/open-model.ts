/** The network of a run: one of the zoo, or a model's file. */
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { listFolder } from '#platform'
import { didYouMean, FoveaError } from '../base/errors.ts'
import type { EngineChoice } from '../engines/index.ts'
import { loadModel } from '../model/build.ts'
import type { Model } from '../model/model.ts'
import type { ZooNetwork } from '../zoo/define.ts'
import { type ZooName, zoo, zooNames } from '../zoo/index.ts'
import { givenTo, refuseForeignOptions } from './network-options.ts'
import { MODEL_FILE } from './run-folder.ts'

const isBeginning = (name: ZooName): boolean => zoo[name].row.isBeginning === true
/** Those that can be trained as they are. */
export const classifierNames = zooNames.filter((name) => !isBeginning(name))

/** How a network is opened: engine, seed, and options of the networks of the zoo. */
export type Opening = EngineChoice & { readonly seed?: number } & Readonly<Record<string, unknown>>

const isZooName = (name: string): name is ZooName => Object.hasOwn(zoo, name)

/** A network's name, or its path in a form that holds in any folder. */
export const absoluteNetwork = (name: string): string => (isZooName(name) ? name : resolve(name))

/** A new network of the zoo, or a trained one. */
export async function openNetwork(name: string, options: Opening = {}): Promise<Model> {
  const { seed, engine, threads, precision } = options
  const where = { engine, threads, precision }
  const own = givenTo(options)
  if (isZooName(name)) {
    refuseForeignOptions(name, own, zoo[name].row)
    return (zoo[name] as ZooNetwork)({ ...where, seed, ...own })
  }
  refuseForeignOptions(name, own)
  return openFile(name, where, didYouMean(name, zooNames) ?? `the networks are ${zooNames.join(', ')}`)
}

/** The same to be trained: a network that does not classify is refused. */
export async function openForTraining(name: string, options: Opening = {}): Promise<Model> {
  if (isZooName(name) && (isBeginning(name) || options['includeTop'] === false)) throw noClassifier(name)
  return openNetwork(name, options)
}

/** A trained model. */
export async function openTrained(name: string, engine: EngineChoice): Promise<Model> {
  const hint = isZooName(name)
    ? `${name} is a network without training: fovea train ${name} makes a model of it`
    : 'name a .safetensors file or the folder of a run'
  return openFile(name, engine, isZooName(name) && isBeginning(name) ? wayOn(name) : hint)
}

const wayOn = (name: ZooName): string =>
  `fovea summary ${name} shows it; in your own program, add flatten() and dense({ units: 10 }) to its layers`

const noClassifier = (name: ZooName): FoveaError =>
  new FoveaError('E_MODEL', {
    what: 'has no layers that classify, and cannot be trained as it is',
    where: name,
    hint: wayOn(name),
  })

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** The model of a run's folder; where the folder holds several runs, the error names one. */
async function modelIn(folder: string): Promise<string> {
  const path = join(folder, MODEL_FILE)
  if (await isThere(path)) return path
  for (const name of ((await listFolder(folder))?.folders ?? []).sort().reverse()) {
    const run = join(folder, name)
    if (await isThere(join(run, MODEL_FILE)))
      throw new FoveaError('E_IO', { what: 'this folder holds runs', where: folder, hint: `name one, as ${run}` })
  }
  throw new FoveaError('E_IO', { what: `there is no ${MODEL_FILE} in this folder`, where: folder })
}

async function openFile(path: string, engine: EngineChoice, hint: string): Promise<Model> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return loadModel(await modelIn(path), engine)
  if (found) return loadModel(path, engine)
  if (isZooName(path)) throw new FoveaError('E_OPTION', { what: `'${path}' has not been trained`, hint })
  if (/[/\\]|\.safetensors$/.test(path)) throw new FoveaError('E_IO', { what: 'there is no such file', where: path })
  throw new FoveaError('E_OPTION', { what: `there is no network or file '${path}'`, hint })
}
