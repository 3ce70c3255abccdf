/** Figures as the JSON that `bench --json` prints. */

import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import type { Figure } from './compare.ts'
import { counted, isQuiet, ratioOf, speedOf } from './compare.ts'
import type { DataFigure } from './data.ts'
import { workOf } from './layers.ts'
import type { LowLevelFigure } from './low-level-turns.ts'
import { median, spread } from './measure.ts'
import type { Mode, PlainRow, Precision } from './protocol.ts'
import type { Epoch, Start } from './whole-process.ts'

const speedsOf = (figure: Figure): number[] => counted(figure.turns).map(speedOf)
const taskOf = ({ task: { workload, mode, batchSize, precision } }: Figure) => ({
  ...{ workload, mode, batchSize, precision },
})

/** One of our engines at one task. */
export function resultOf(figure: Figure) {
  const { workload, mode, batchSize, precision } = taskOf(figure)
  const { flopsPerImage = 0, peakBytes = 0, compileMs = 0, firstStepMs = 0, runsOn = '' } = figure.facts ?? {}
  const imagesPerSecond = median(speedsOf(figure))
  const peaks = counted(figure.turns).flatMap((turn) =>
    turn.peak ? [{ share: speedOf(turn) / turn.peak, ...turn }] : [],
  )
  return {
    ...{ workload, mode, engine: figure.entrant.name, precision, threads: figure.task.threads, batchSize },
    imagesPerSecond,
    spread: spread(speedsOf(figure)),
    flopsPerImage,
    gflops: (imagesPerSecond * flopsPerImage) / 1e9,
    peakGflops: peaks.length > 0 ? median(peaks.map(({ peak = 0 }) => peak)) / 1e9 : null,
    shareOfPeak: peaks.length > 0 ? median(peaks.map(({ share }) => share)) * flopsPerImage : null,
    /** Of the time, in the engine's own kernels; null where the engine cannot tell. */
    kernelShare: figure.profile?.kernelShare ?? null,
    /** Their names, in bfloat16. */
    ...(precision === 'mixed_bfloat16' && { kernels: figure.profile?.kernels ?? [] }),
    ...{ peakBytes, compileMs, firstStepMs, runsOn },
    ...quietOf(figure),
  }
}
export type Result = ReturnType<typeof resultOf>

const quietOf = ({ turns }: Figure) => ({ turns: turns.length, quietTurns: turns.filter(isQuiet).length })

function peerOf({ entrant, hello, task, batchSize, setting, settings, difference, parametersChecked, turns }: Figure) {
  return {
    ...{ name: entrant.name, version: hello?.version ?? '' },
    ...{ threads: hello?.threads ?? 0, setting: setting ?? '', settings: settings ?? {} },
    ...(batchSize !== task.batchSize && { batchSize }),
    ...(difference !== undefined && { difference }),
    parametersChecked,
    othersProcessors: median(turns.map(({ others = 0 }) => others)),
  }
}

/** A peer at one task. */
export const peerResultOf = (figure: Figure) => ({
  ...taskOf(figure),
  ...peerOf(figure),
  imagesPerSecond: median(speedsOf(figure)),
  spread: spread(speedsOf(figure)),
  ...quietOf(figure),
})
export type PeerResult = ReturnType<typeof peerResultOf>

/** Ours beside a peer, in the same task and the same rounds. */
export function comparisonOf(ours: Figure, theirs: Figure) {
  const { name, version, threads, setting, batchSize } = peerOf(theirs) as ReturnType<typeof peerOf> & {
    batchSize?: number
  }
  const speed = (figure: Figure) => ({ imagesPerSecond: median(speedsOf(figure)), spread: spread(speedsOf(figure)) })
  return {
    ...taskOf(ours),
    fovea: { engine: ours.entrant.name, threads: ours.task.threads, ...speed(ours) },
    peer: { name, version, threads, setting, ...(batchSize && { batchSize }), ...speed(theirs) },
    ratio: ratioOf(ours, theirs),
    rounds: Math.min(ours.turns.length, theirs.turns.length),
  }
}
export type Comparison = ReturnType<typeof comparisonOf>

/** Everybody's figures of one task, or why there are none. */
export function reportOf(figures: readonly Figure[]) {
  const fine = figures.filter(({ error, turns }) => error === undefined && turns.length > 0)
  const [ours, theirs] = [true, false].map((isOurs) => fine.filter(({ entrant }) => entrant.isOurs === isOurs))
  return {
    results: ours.map(resultOf),
    peers: theirs.map(peerResultOf),
    comparisons: ours.flatMap((a) => theirs.filter((b) => isRival(b, a)).map((b) => comparisonOf(a, b))),
    failures: figures
      .filter(({ error }) => error !== undefined)
      .map((figure) => ({
        ...taskOf(figure),
        ...{ name: figure.entrant.name, isOurs: figure.entrant.isOurs, version: figure.hello?.version ?? '' },
        error: figure.error ?? '',
      })),
  }
}

const isRival = ({ entrant: { row } }: Figure, ours: Figure): boolean =>
  row.rivalOf === undefined || row.rivalOf === ours.entrant.name

/** Everybody's figures of one pass of a layer. */
export function layerFiguresOf(row: PlainRow, mode: Mode, figures: readonly Figure[]) {
  const fine = figures.filter(({ error, turns }) => error === undefined && turns.length > 0)
  const { flops, bytes } = workOf(row, mode)
  return fine.map((figure) => {
    const { isOurs, name } = figure.entrant
    const seconds = figure.batchSize / median(speedsOf(figure))
    const rivals = isOurs ? fine.filter((other) => !other.entrant.isOurs && isRival(other, figure)) : []
    return {
      ...{ layer: row.name, pass: mode === 'train' ? 'forwards and back' : 'forwards' },
      ...{ name, isOurs, version: figure.hello?.version ?? '', threads: figure.hello?.threads ?? 0 },
      ...{ setting: figure.setting ?? '', milliseconds: 1000 * seconds, spread: spread(speedsOf(figure)) },
      /** null: a layer without kernels. */
      gflops: flops > 0 ? flops / seconds / 1e9 : null,
      gigabytesPerSecond: bytes / seconds / 1e9,
      /** How many times as fast as each peer. */
      ratios: Object.fromEntries(rivals.map((peer) => [peer.entrant.name, ratioOf(figure, peer)])),
      ...quietOf(figure),
    }
  })
}
export type LayerFigure = ReturnType<typeof layerFiguresOf>[number]

export type Report = ReturnType<typeof reportOf>
export type Failure = Report['failures'][number]

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly threads: number
  /** The median of what the engine that was measured could do at most. */
  readonly peakGflops: number | null
  readonly date: string
}

export function machineWith(results: readonly Result[], threads: number): Machine {
  const peaks = results.flatMap(({ peakGflops }) => peakGflops ?? [])
  return {
    ...{ cpu: cpus()[0].model, cores: availableParallelism(), memoryBytes: totalmem() },
    ...{ system: systemName(), node: process.version, threads },
    peakGflops: peaks.length > 0 ? median(peaks) : null,
    date: new Date().toISOString().slice(0, 10),
  }
}

function systemName(): string {
  const kernel = `${type()} ${release()}`
  try {
    const name = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
    return name ? `${name}, ${kernel}` : kernel
  } catch {
    return kernel
  }
}

/** All that a run of the bench found. */
export interface Bench extends Report {
  readonly machine: Machine
  readonly layers: readonly LayerFigure[]
  readonly norms: readonly LayerFigure[]
  readonly lowLevel: readonly LowLevelFigure[]
  readonly data: readonly DataFigure[]
  readonly starts: readonly Start[]
  readonly epochs: readonly Epoch[]
}

export const precisions = ['float32', 'mixed_bfloat16'] as const satisfies readonly Precision[]
