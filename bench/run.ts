/**
 * npm run bench: images per second of our engines, and the share of what each could do at most; beside everybody else in the
 * same run, where that is asked for (USAGE). Machines are shared and drift: medians over rounds, and rounds in which others
 * had the processors count only when there are no quiet ones.
 */
import { availableParallelism, constants } from 'node:os'
import type { ParseArgsOptionsConfig } from 'node:util'
import { parseArgs } from 'node:util'
import type { EngineName } from '../src/engines/index.ts'
import { autoEngine, engineNames } from '../src/engines/index.ts'
import { compare } from './compare.ts'
import { Entrant, peers } from './contestants.ts'
import { measureData } from './data.ts'
import { installPeers } from './install.ts'
import { plainRows } from './layers.ts'
import { lowLevelTurns } from './low-level-turns.ts'
import { Descriptions, parametersOf } from './plain-network.ts'
import { print } from './print.ts'
import type { Mode, PlainRow, Precision, Task } from './protocol.ts'
import type { Bench } from './report.ts'
import { layerFiguresOf, machineWith, precisions, reportOf } from './report.ts'
import { measureEpochs, measureStarts } from './whole-process.ts'
import { workloads } from './workloads.ts'

const PARTS = ['speed', 'layers', 'norms', 'lowLevel', 'data', 'starts', 'epochs']
const USAGE = `usage: npm run bench [-- options]; options of names may be given several times
  --engine <name>     ${engineNames.join(', ')}; the best one here when absent
  --workload <name>   ${Object.keys(workloads).join(', ')}; all when absent
  --mode <mode>       train, infer; both when absent
  --precision <name>  ${precisions.join(', ')}
  --rounds <n>        turns of everybody, 7 when absent
  --threads <n>       all processors when absent
  --peers             beside all others: ${Object.keys(peers).join(', ')}
  --peer <name>       beside some
  --against <folder>  beside the same engines of another checkout, which has its own node_modules
  --part <name>       ${PARTS.join(', ')}: images a second, layers and normalisations one by one,
                      training steps by hand beside those of fit, augmentation by itself and in fit, from a start to the first step, epochs of MNIST from its files
  --layer <text>      of layers and norms, those whose names hold it
  --json              one JSON object on stdout`
if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
  console.log(USAGE)
  process.exit(0)
}

function refuse(what: string): never {
  console.error(`bench: ${what}`)
  process.exit(2)
}

function flagsOf<T extends ParseArgsOptionsConfig>(options: T) {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return refuse(`${(error as Error).message}\n${USAGE}`)
  }
}

const flags = flagsOf({
  json: { type: 'boolean', default: false },
  peers: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '7' },
  threads: { type: 'string', default: String(availableParallelism()) },
  workload: { type: 'string', multiple: true, default: Object.keys(workloads) },
  mode: { type: 'string', multiple: true, default: ['train', 'infer'] },
  engine: { type: 'string', multiple: true, default: [await autoEngine()] },
  precision: { type: 'string', multiple: true },
  peer: { type: 'string', multiple: true },
  against: { type: 'string' },
  part: { type: 'string', multiple: true },
  layer: { type: 'string', default: '' },
})
const withPeers = flags.peers || flags.peer !== undefined
const threads = Number(flags.threads)
const rounds = Number(flags.rounds)
for (const [flag, value] of Object.entries({ rounds, threads })) {
  if (Number.isInteger(value) && value >= 1) continue
  refuse(`--${flag} ${flags[flag as 'rounds']}: expected an integer from 1 on`)
}
const chosen = {
  workload: oneOf('workload', Object.keys(workloads), flags.workload),
  mode: oneOf('mode', ['train', 'infer'], flags.mode) as Mode[],
  engine: oneOf('engine', engineNames, flags.engine) as EngineName[],
  precision: oneOf('precision', precisions, flags.precision ?? (withPeers ? precisions : ['float32'])) as Precision[],
  peer: oneOf('peer', Object.keys(peers), flags.peer ?? (withPeers ? Object.keys(peers) : [])),
  part: oneOf('part', PARTS, flags.part ?? (withPeers ? PARTS : ['speed'])),
}

function oneOf(flag: string, words: readonly string[], given: readonly string[]): string[] {
  const wrong = given.find((word) => !words.includes(word))
  return wrong === undefined ? [...given] : refuse(`--${flag} ${wrong}: expected ${words.join(', ')}`)
}

const log = (line: string): void => console.error(line)
if (chosen.peer.some((name) => peers[name].isPackage)) installPeers()
const entrants = [
  ...chosen.engine.map((name) => Entrant.engine(name, threads)),
  ...chosen.engine.flatMap((name) => (flags.against ? [Entrant.checkout(flags.against, name, threads)] : [])),
  ...chosen.peer.map((name) => Entrant.peer(name, threads)),
]
const descriptions = new Descriptions()

/** Everything to be done, by workload; parameters are counted before anything is measured. */
async function tasksOf(workload: string, sizes: readonly (readonly [Mode, number])[]): Promise<Task[]> {
  const { make, parameters } = workloads[workload]
  const { layers, weightsFile, onnxFile } = await descriptions.of(make().network)
  const counted = parametersOf(layers).reduce((a, b) => a + b, 0)
  if (counted !== parameters) throw new Error(`${workload} has ${counted} parameters, expected ${parameters}`)
  return sizes
    .filter(([mode]) => chosen.mode.includes(mode))
    .flatMap(([mode, batchSize]) =>
      chosen.precision.map((precision) => ({
        ...{ workload, mode, batchSize, precision, threads, layers, weightsFile, onnxFile: onnxFile(batchSize) },
      })),
    )
}

/** What has been measured so far, all of it kept when the bench is stopped. */
// biome-ignore format: a line
const found = { results: [], peers: [], comparisons: [], failures: [], layers: [], norms: [], lowLevel: [], data: [], starts: [], epochs: [] } as Found
type Found = { -readonly [K in keyof Omit<Bench, 'machine'>]: Bench[K][number][] }

function tell(): void {
  const bench: Bench = { machine: machineWith(found.results, threads), ...found }
  if (flags.json) console.log(JSON.stringify(bench))
  else print(bench)
}
/** A signal ends the bench with what it has found; its contestants end with the process (contestant.ts). */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    tell()
    process.exit(128 + constants.signals[signal])
  })
}

/** Every way in which a network is measured. */
// biome-ignore format: a line
const kinds = [['train', 128], ['infer', 128], ['infer', 1]] as const

async function speeds(workload: string): Promise<void> {
  for (const task of await tasksOf(workload, kinds)) {
    log(`bench: ${workload}, ${task.mode}, batch ${task.batchSize}, ${task.precision}`)
    const able = entrants.filter((entrant) => entrant.does(task.mode, task.precision))
    const { results, peers, comparisons, failures } = reportOf(await compare(task, able, rounds))
    found.results.push(...results)
    found.peers.push(...peers)
    found.comparisons.push(...comparisons)
    found.failures.push(...failures)
    for (const { engine, imagesPerSecond } of results) log(`  ${engine}: ${imagesPerSecond.toFixed(1)} images/s`)
    for (const { name, imagesPerSecond, setting } of peers)
      log(`  ${name}: ${imagesPerSecond.toFixed(1)} images/s (${setting})`)
    for (const { name, error } of failures) log(`  ${name}: ${error}`)
  }
}

/** Every layer of a part, forwards, and forwards and back. */
async function oneByOne(part: PlainRow['part']): Promise<void> {
  for (const row of plainRows(part, flags.layer)) {
    log(`bench: ${part}, ${row.name}`)
    for (const mode of ['infer', 'train'] as const) {
      const task: Task = {
        ...{ workload: row.name, mode, batchSize: row.shapes[0][0], precision: 'float32', threads },
        ...{ layers: [], weightsFile: '', onnxFile: '', row },
      }
      const able = entrants.filter(({ row: { doesLayers } }) => doesLayers)
      const figures = await compare(task, able, rounds)
      found[part].push(...layerFiguresOf(row, mode, figures))
      found.failures.push(...reportOf(figures).failures)
    }
  }
}

const whole = entrants.filter(({ row }) => row.isWhole)
const wholeRounds = Math.min(rounds, 3)
const trainings = async (names: readonly string[]): Promise<Task[]> =>
  (await Promise.all(names.map((name) => tasksOf(name, [['train', 128]])))).flat()

try {
  if (chosen.part.includes('speed')) for (const workload of chosen.workload) await speeds(workload)
  for (const part of ['layers', 'norms'] as const) if (chosen.part.includes(part)) await oneByOne(part)
  for (const entrant of entrants) entrant.close()
  if (chosen.part.includes('lowLevel')) {
    log('bench: steps by hand and by fit')
    const ours = entrants.filter(({ isOurs }) => isOurs)
    found.lowLevel.push(...(await lowLevelTurns(ours, rounds)))
  }
  if (chosen.part.includes('data')) {
    log('bench: pictures augmented, by themselves and in fit')
    found.data.push(...(await measureData(chosen.engine, threads, rounds)))
  }
  if (chosen.part.includes('starts')) {
    log('bench: from the start of a process to its first step')
    const { figures, failures } = await measureStarts(whole, await trainings(chosen.workload), wholeRounds)
    found.starts.push(...figures)
    found.failures.push(...failures)
  }
  if (chosen.part.includes('epochs')) {
    log('bench: epochs of MNIST from its files')
    const networks = chosen.workload.filter((name) => name === 'lenet')
    const { figures, failures } = await measureEpochs(whole, await trainings(networks), wholeRounds)
    found.epochs.push(...figures)
    found.failures.push(...failures)
  }
  tell()
  const { results, layers, norms, lowLevel, data, starts, epochs } = found
  if ([results, layers, norms, lowLevel, data, starts, epochs].every(({ length }) => length === 0)) process.exitCode = 1
} finally {
  for (const entrant of entrants) entrant.close()
  descriptions.close()
}
