/**
 * npm run bench [-- --json] [--rounds n] [--threads n] [--workload name] [--mode train|infer] [--engine name] [--precision p]:
 * images per second of our engines, and the share of what each could do at most. With `--peers` everybody else in turns
 * with them, in the same run; then the times from the start of a process to its first step, and epochs of MNIST from
 * files. `--peer name` takes some peers alone, `--part speed` (starts, epochs) some of the measurements. Machines are
 * shared and drift: medians over rounds, and rounds in which others had the processors count only when there are no quiet ones.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import type { EngineName } from '../src/engines/index.ts'
import { engineNames, engines } from '../src/engines/index.ts'
import { compare } from './compare.ts'
import { Entrant, peers } from './contestants.ts'
import { installPeers } from './install.ts'
import { Descriptions, parametersOf } from './plain-network.ts'
import { print } from './print.ts'
import type { Mode, Precision, Task } from './protocol.ts'
import type { Bench, Report } from './report.ts'
import { machineWith, precisions, reportOf } from './report.ts'
import { epochs, starts } from './whole-process.ts'
import { workloads } from './workloads.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(availableParallelism()) },
    workload: { type: 'string', multiple: true, default: Object.keys(workloads) },
    mode: { type: 'string', multiple: true, default: ['train', 'infer'] },
    engine: { type: 'string', multiple: true, default: bestEngine() },
    precision: { type: 'string', multiple: true },
    peer: { type: 'string', multiple: true },
    part: { type: 'string', multiple: true },
  },
})
const withPeers = flags.peers || flags.peer !== undefined
const threads = Number(flags.threads)
const rounds = Number(flags.rounds)
const chosen = {
  workload: oneOf('workload', Object.keys(workloads), flags.workload),
  mode: oneOf('mode', ['train', 'infer'], flags.mode) as Mode[],
  engine: oneOf('engine', engineNames, flags.engine) as EngineName[],
  precision: oneOf('precision', precisions, flags.precision ?? (withPeers ? precisions : ['float32'])) as Precision[],
  peer: oneOf('peer', Object.keys(peers), flags.peer ?? (withPeers ? Object.keys(peers) : [])),
  part: oneOf(
    'part',
    ['speed', 'starts', 'epochs'],
    flags.part ?? (withPeers ? ['speed', 'starts', 'epochs'] : ['speed']),
  ),
}

function bestEngine(): EngineName[] {
  return engineNames.filter((name) => !engines[name].missing()).slice(0, 1)
}

function oneOf(flag: string, words: readonly string[], given: readonly string[]): string[] {
  const wrong = given.find((word) => !words.includes(word))
  if (wrong === undefined) return [...given]
  console.error(`bench: --${flag} ${wrong}: expected ${words.join(', ')}`)
  process.exit(2)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
const log = (line: string): void => console.error(line)
if (chosen.peer.some((name) => peers[name].isPackage)) installPeers()
const entrants = [
  ...chosen.engine.map((name) => Entrant.engine(name, threads)),
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

const none: Report = { results: [], peers: [], comparisons: [], failures: [] }
const joined = (a: Report, b: Report): Report => ({
  results: [...a.results, ...b.results],
  peers: [...a.peers, ...b.peers],
  comparisons: [...a.comparisons, ...b.comparisons],
  failures: [...a.failures, ...b.failures],
})

async function speeds(): Promise<Report> {
  let report = none
  for (const workload of chosen.workload) {
    for (const task of await tasksOf(workload, [
      ['train', 128],
      ['infer', 128],
      ['infer', 1],
    ])) {
      // biome-ignore format: a line
      const able = entrants.filter((entrant) => entrant.does(task.mode, task.precision))
      log(`bench: ${workload}, ${task.mode}, batch ${task.batchSize}, ${task.precision}`)
      report = joined(report, reportOf(await compare(task, able, rounds, log)))
    }
  }
  return report
}

const whole = entrants.filter(({ row }) => row.isWhole)
const wholeRounds = Math.min(rounds, 3)
const trainings = async (names: readonly string[]): Promise<Task[]> =>
  (await Promise.all(names.map((name) => tasksOf(name, [['train', 128]])))).flat()

try {
  const report = chosen.part.includes('speed') ? await speeds() : none
  for (const entrant of entrants) entrant.close()
  if (chosen.part.includes('starts')) log('bench: from the start of a process to its first step')
  const started = chosen.part.includes('starts')
    ? await starts(whole, await trainings(chosen.workload), wholeRounds)
    : { figures: [], failures: [] }
  if (chosen.part.includes('epochs')) log('bench: epochs of MNIST from its files')
  const read = chosen.part.includes('epochs')
    ? await epochs(whole, await trainings(chosen.workload.filter((name) => name === 'lenet')), wholeRounds)
    : { figures: [], failures: [] }
  const bench: Bench = {
    machine: machineWith(report.results, threads),
    ...report,
    failures: [...report.failures, ...started.failures, ...read.failures],
    starts: started.figures,
    epochs: read.figures,
  }
  if (flags.json) console.log(JSON.stringify(bench))
  else print(bench)
} finally {
  for (const entrant of entrants) entrant.close()
  descriptions.close()
}
