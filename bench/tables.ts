/**
 * npm run -s node -- bench/tables.ts result.json ... docs/benchmarks.md: puts what `bench --peers --json` printed into a page,
 * table by table, between <!-- bench: name --> and <!-- end -->. The words around them are written by hand. Several results are
 * those of runs that measured different things.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Bench, Comparison, LayerFigure, Result } from './report.ts'

type Row = Readonly<Record<string, string>>

function table(rows: readonly Row[]): string {
  if (rows.length === 0) return 'Not measured in this run.'
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map((column) => row[column] ?? ''))),
  ].join('\n')
}

const number = (value: number): string =>
  value < 10 ? value.toFixed(value < 1 ? 2 : 1) : Math.round(value).toLocaleString('en-US')
const percent = (share: number | null): string =>
  share === null ? '' : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`
const words: Readonly<Record<string, string>> = { float32: 'float32', mixed_bfloat16: 'bfloat16' }

/** Who is compared, in the order of the first appearance. */
const namesOf = ({ comparisons, peers, failures }: Bench): string[] => [
  ...new Set([
    ...comparisons.map(({ peer }) => peer.name),
    ...[...peers, ...failures.filter(({ isOurs }) => !isOurs)].map(({ name }) => name),
  ]),
]

const title = (bench: Bench, name: string): string => {
  const { version = '' } = [...bench.peers, ...bench.failures].find((peer) => peer.name === name) ?? {}
  return `${name} ${version}`.trim()
}

interface Kind {
  readonly mode: string
  readonly batchSize: number
  readonly precision: string
}
const isOf = (kind: Kind, one: Kind): boolean =>
  kind.mode === one.mode && kind.batchSize === one.batchSize && kind.precision === one.precision

/** A row per network and engine of ours, a column per peer: its images per second, and ours / theirs. */
function beside(bench: Bench, kind: Kind): string {
  const results = bench.results.filter((result) => isOf(kind, result))
  const measured = bench.peers.filter((peer) => isOf(kind, peer))
  const names = namesOf(bench).filter((name) => measured.some((peer) => peer.name === name))
  const ratio = (result: Result, name: string): string => {
    const isThis = (one: Comparison): boolean =>
      isOf(kind, one) &&
      one.workload === result.workload &&
      one.fovea.engine === result.engine &&
      one.peer.name === name
    const { peer, ratio } = bench.comparisons.find(isThis) ?? {}
    return peer && ratio ? `${number(peer.imagesPerSecond)} (${number(ratio)} x)` : ''
  }
  if (results.length > 0)
    return table(
      results.map((result) => ({
        network: result.workload,
        engine: result.engine,
        'Fovea, images/s': `${number(result.imagesPerSecond)}`,
        ...Object.fromEntries(names.map((name) => [title(bench, name), ratio(result, name)])),
      })),
    )
  const networks = [...new Set(measured.map(({ workload }) => workload))]
  const alone = (workload: string, name: string): string => {
    const found = measured.find((peer) => peer.workload === workload && peer.name === name)
    return found ? number(found.imagesPerSecond) : ''
  }
  return table(
    networks.map((network) => ({
      network,
      ...Object.fromEntries(names.map((name) => [title(bench, name), alone(network, name)])),
    })),
  )
}

const roofline = ({ results }: Bench): string =>
  table(
    results.map((result) => ({
      network: result.workload,
      mode: result.mode,
      batch: `${result.batchSize}`,
      engine: `${result.engine}, ${words[result.precision]}`,
      'MFLOP/image': number(result.flopsPerImage / 1e6),
      'GFLOP/s': number(result.gflops),
      peak: result.peakGflops === null ? '' : number(result.peakGflops),
      'share of peak': percent(result.shareOfPeak),
      "time in the engine's kernels": percent(result.kernelShare),
      'arena MB': number(result.peakBytes / 1e6),
    })),
  )

const settings = ({ peers }: Bench): string =>
  table(
    peers
      .filter(({ settings }) => Object.keys(settings).length > 1)
      .map(({ workload, mode, batchSize, precision, name, setting, settings }) => {
        const others = Object.entries(settings).flatMap(([key, speed]) =>
          key === setting || typeof speed === 'string' ? [] : [[key, speed] as const],
        )
        const next = others.sort(([, a], [, b]) => b - a).slice(0, 2)
        const own = settings[setting]
        return {
          peer: name,
          network: workload,
          mode,
          batch: `${batchSize}`,
          precision: words[precision],
          fastest: setting,
          'next, as shares of it': next
            .map(([key, speed]) => `${key} ${typeof own === 'number' ? percent(speed / own) : ''}`)
            .join('; '),
        }
      }),
  )

const failures = ({ failures }: Bench): string => {
  const groups = Object.groupBy(failures, ({ name, version, error }) => `${name} ${version}: ${error}`)
  const lines = Object.entries(groups).map(([what, list = []]) => {
    const tasks = list.map(
      ({ workload, mode, batchSize, precision }) => `${workload} ${mode} ${batchSize} ${words[precision]}`,
    )
    return `- ${what.replaceAll('\n', ' ')} (${[...new Set(tasks)].join(', ')})`
  })
  return lines.length > 0 ? lines.join('\n') : 'Nobody failed at anything.'
}

/** A row per layer and engine of ours; of each pass its time and speed, and the time of each peer with theirs / ours. */
function oneByOne(figures: readonly LayerFigure[]): string {
  const peers = figures.filter(({ isOurs }) => !isOurs)
  const names = [...new Set(peers.map(({ name }) => name))]
  const passes = ['forwards', 'forwards and back']
  const cells = (ours: LayerFigure): (readonly [string, string])[] => [
    [
      ours.pass,
      `${number(ours.milliseconds)} ms, ` +
        (ours.gflops === null ? `${number(ours.gigabytesPerSecond)} GB/s` : `${number(ours.gflops)} GFLOP/s`),
    ],
    ...names.map((name) => {
      const theirs = peers.find((peer) => peer.name === name && peer.layer === ours.layer && peer.pass === ours.pass)
      const ratio = ours.ratios[name]
      const text = theirs && ratio ? `${number(theirs.milliseconds)} ms (${number(ratio)} x)` : ''
      return [`${name}, ${ours.pass}`, text] as const
    }),
  ]
  const rows = Object.values(
    Object.groupBy(
      figures.filter(({ isOurs }) => isOurs),
      ({ layer, name }) => `${layer}/${name}`,
    ),
  )
  return table(
    rows.map((row = []) => ({
      layer: row[0].layer,
      engine: row[0].name,
      ...Object.fromEntries(passes.flatMap((pass) => row.filter((ours) => ours.pass === pass).flatMap(cells))),
    })),
  )
}

const lowLevel = ({ lowLevel }: Bench): string =>
  table(
    lowLevel.map(({ engine, byHand, fit, ratio }) => ({
      engine,
      'by hand, images/s': number(byHand),
      'fit, images/s': number(fit),
      'by hand / fit': ratio.toFixed(2),
    })),
  )

const data = ({ data }: Bench): string =>
  table(
    data.map(({ what, engine, imagesPerSecond }) => ({
      what,
      engine: engine ?? '-',
      'images/s': number(imagesPerSecond),
    })),
  )

const starts = ({ starts }: Bench): string =>
  table(
    starts.map(({ workload, precision, name, version, firstStepSeconds, peakRssBytes }) => ({
      network: workload,
      precision: words[precision],
      who: `${name} ${version}`,
      'to the first step': `${firstStepSeconds.toFixed(2)} s`,
      'peak memory of the process': `${Math.round(peakRssBytes / 1e6)} MB`,
    })),
  )

const epochs = ({ epochs }: Bench): string =>
  table(
    epochs.map(
      ({ workload, precision, name, version, setting, epochSeconds, readSeconds, imagesPerSecond, accuracy }) => ({
        network: workload,
        precision: words[precision],
        who: `${name} ${version}, ${setting}`,
        epoch: `${epochSeconds.toFixed(1)} s`,
        'images/s': number(imagesPerSecond),
        'reading the files': `${readSeconds.toFixed(2)} s`,
        'training accuracy': accuracy.toFixed(4),
      }),
    ),
  )

function machine({ machine, results, peers }: Bench): string {
  const loads = [...results, ...peers]
  const [turns, quiet] = [loads.reduce((sum, x) => sum + x.turns, 0), loads.reduce((sum, x) => sum + x.quietTurns, 0)]
  const { cpu, cores, memoryBytes, system, node, threads, date } = machine
  return [
    `${cpu}, ${cores} cores, ${Math.round(memoryBytes / 2 ** 30)} GiB; ${system}; Node ${node}; ${threads} threads; ${date}.`,
    `${quiet} of ${turns} turns were quiet.`,
    ...new Set(results.map(({ engine, runsOn }) => `Engine ${engine}: ${runsOn}.`)),
  ].join('\n')
}

const train = { mode: 'train', batchSize: 128 }
const tables: Readonly<Record<string, (bench: Bench) => string>> = {
  machine,
  'training float32': (bench) => beside(bench, { ...train, precision: 'float32' }),
  'training bfloat16': (bench) => beside(bench, { ...train, precision: 'mixed_bfloat16' }),
  'batches float32': (bench) => beside(bench, { mode: 'infer', batchSize: 128, precision: 'float32' }),
  'batches bfloat16': (bench) => beside(bench, { mode: 'infer', batchSize: 128, precision: 'mixed_bfloat16' }),
  'one image float32': (bench) => beside(bench, { mode: 'infer', batchSize: 1, precision: 'float32' }),
  'one image bfloat16': (bench) => beside(bench, { mode: 'infer', batchSize: 1, precision: 'mixed_bfloat16' }),
  roofline,
  settings,
  layers: ({ layers }) => oneByOne(layers),
  norms: ({ norms }) => oneByOne(norms),
  'low level': lowLevel,
  data,
  starts,
  epochs,
  failures,
}

const files = process.argv.slice(2)
const to = files[files.length - 1]
const parts = files.slice(0, -1).map((file) => JSON.parse(readFileSync(file, 'utf8')) as Bench)
const bench: Bench = {
  ...parts[0],
  results: parts.flatMap(({ results }) => results),
  peers: parts.flatMap(({ peers }) => peers),
  comparisons: parts.flatMap(({ comparisons }) => comparisons),
  failures: parts.flatMap(({ failures }) => failures),
  layers: parts.flatMap(({ layers = [] }) => layers), // results of older runs have none
  norms: parts.flatMap(({ norms = [] }) => norms),
  lowLevel: parts.flatMap(({ lowLevel = [] }) => lowLevel),
  data: parts.flatMap(({ data = [] }) => data),
  starts: parts.flatMap(({ starts }) => starts),
  epochs: parts.flatMap(({ epochs }) => epochs),
}
const page = readFileSync(to, 'utf8')
const filled = page.replaceAll(/(<!-- bench: (.+?) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, name, end) => {
  if (!Object.hasOwn(tables, name))
    throw new Error(`${to}: no table '${name}'; there are ${Object.keys(tables).join(', ')}`)
  return `${begin}\n${tables[name](bench)}\n\n${end}`
})
writeFileSync(to, filled)
