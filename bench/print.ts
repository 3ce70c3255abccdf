/** What the bench found, for people at a terminal. */
import type { Bench, LayerFigure } from './report.ts'

const rounded = (value: number): number => (value < 100 ? Math.round(value * 10) / 10 : Math.round(value))
const percent = (share: number | null): string => (share === null ? '' : `${(100 * share).toFixed(1)} %`)

const layerRow = ({ layer, name, pass, milliseconds, gflops, gigabytesPerSecond, ratios, setting }: LayerFigure) => ({
  ...{ layer, name, pass, ms: milliseconds.toFixed(2) },
  speed: gflops === null ? `${rounded(gigabytesPerSecond)} GB/s` : `${rounded(gflops)} GFLOP/s`,
  ...Object.fromEntries(Object.entries(ratios).map(([peer, ratio]) => [`beside ${peer}`, ratio.toFixed(2)])),
  ...(setting !== 'as it is' && { setting }),
})

export function print(bench: Bench): void {
  const { machine, results, comparisons, failures, layers, norms, lowLevel, data, starts, epochs, peers } = bench
  const peak = machine.peakGflops ? `; peak of ${machine.threads} threads ${machine.peakGflops.toFixed(1)} GFLOP/s` : ''
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}${peak}`)
  const sections: Record<string, readonly object[]> = {
    'images a second': results.map(({ workload, mode, batchSize, engine, precision, ...result }) => ({
      ...{ workload, mode, batchSize, engine, precision },
      'images/s': rounded(result.imagesPerSecond),
      'share of peak': percent(result.shareOfPeak),
      'arena MB': (result.peakBytes / 1e6).toFixed(1),
      'compile ms': Math.round(result.compileMs),
      'first step ms': Math.round(result.firstStepMs),
    })),
    'beside peers': comparisons.map(({ workload, mode, batchSize, precision, fovea, peer, ratio }) => ({
      ...{ workload, mode, batchSize, precision, engine: fovea.engine, ours: rounded(fovea.imagesPerSecond) },
      ...{ peer: `${peer.name} ${peer.version}`, theirs: rounded(peer.imagesPerSecond), ratio: ratio.toFixed(2) },
      setting: peer.setting,
    })),
    'peers alone': peers
      .filter((peer) => !comparisons.some((c) => c.workload === peer.workload && c.precision === peer.precision))
      .map(({ workload, mode, batchSize, precision, name, imagesPerSecond, setting }) => ({
        ...{ workload, mode, batchSize, precision, name, 'images/s': rounded(imagesPerSecond), setting },
      })),
    'could not': failures.map(({ workload, mode, precision, name, error }) => ({
      workload,
      mode,
      precision,
      name,
      error,
    })),
    'layers one by one': layers.map(layerRow),
    'normalisations one by one': norms.map(layerRow),
    'steps by hand beside fit': lowLevel.map(({ engine, byHand, fit, ratio }) => ({
      ...{ engine, 'by hand, images/s': rounded(byHand), 'fit, images/s': rounded(fit), ratio: ratio.toFixed(2) },
    })),
    'pictures augmented': data.map(({ what, engine, imagesPerSecond }) => ({
      ...{ what, engine: engine ?? 'none', 'images/s': rounded(imagesPerSecond) },
    })),
    'to the first trained step': starts.map(({ workload, precision, name, firstStepSeconds, peakRssBytes }) => ({
      ...{ workload, precision, name, seconds: firstStepSeconds.toFixed(2), 'peak MB': Math.round(peakRssBytes / 1e6) },
    })),
    'an epoch of MNIST from files': epochs.map(({ workload, precision, name, setting, epochSeconds, readSeconds }) => ({
      ...{ workload, precision, name, setting, epoch: epochSeconds.toFixed(1), reading: readSeconds.toFixed(2) },
    })),
  }
  for (const [title, rows] of Object.entries(sections)) {
    if (rows.length === 0) continue
    console.log(title)
    console.table(rows)
  }
}
