/** A training run as text, for people. */
import { choice } from '../base/options.ts'
import { sizeText } from '../network/summary.ts'
import type { RunReport } from '../runs/report.ts'
import { typed } from './about.ts'
import type { KerasLook } from './keras-progress.ts'
import { kerasLooks, kerasProgress } from './keras-progress.ts'
import { countText, metricText } from './number-text.ts'
import { plainLines, progressBar } from './progress.ts'
import type { Terminal } from './terminal.ts'

/** How a training is shown: our own way, or that of a version of Keras. */
export const progressOption = choice(['fovea', ...kerasLooks], {
  says: "how training is shown: as Fovea does, or as Keras 3, 2.11 ('keras2') or 2.2 did, which counted samples",
  default: 'fovea',
})

/** For people. */
export function textReports(
  terminal: Terminal,
  { every, progress = 'fovea' }: { readonly every: number; readonly progress?: 'fovea' | KerasLook },
): RunReport[] {
  if (progress !== 'fovea') {
    const style = progress === 'keras3' ? progress : 'keras2'
    return [headings(terminal, style), kerasProgress(terminal, progress)]
  }
  return [headings(terminal, 'keras3'), terminal.isLive ? progressBar(terminal) : plainLines(terminal, every)]
}

function headings(terminal: Terminal, style: 'keras3' | 'keras2'): RunReport {
  let resumedAt: number | undefined
  return {
    onStart({ train, test }, model) {
      for (const { name, samples, source } of [train, test])
        terminal.print(`${name}: ${countText(samples)} images${source ? `, ${source}` : ''}`)
      terminal.printLines(`\n${model.summary({ style, columns: terminal.columns })}\n`)
    },
    onTrainBegin({ engine, precision, askedPrecision, arenaBytes, samples, validationSamples, resumed }) {
      terminal.print(`engine ${engine}`)
      const instead = askedPrecision && `, which this engine uses instead of ${askedPrecision}`
      terminal.print(`precision ${precision}${instead ?? ''}`)
      terminal.print(`memory ${sizeText(arenaBytes)} for a step, without weights and optimizer`)
      if (validationSamples > 0 && samples !== undefined)
        terminal.print(`train on ${countText(samples)} images, validate on ${countText(validationSamples)}`)
      for (const reason of resumed?.skipped ?? [])
        terminal.note(`a checkpoint that cannot be used is skipped: ${reason}`)
      resumedAt = resumed?.step
      if (resumed) terminal.print(`continues after step ${countText(resumed.step)}, from ${resumed.path}`)
      terminal.print('')
    },
    onTest(logs) {
      terminal.print('')
      for (const [name, value] of Object.entries(logs)) terminal.print(`test ${name} ${metricText(value)}`)
    },
    onEnd({ ended, why, steps, out, model }) {
      const wayOn = `to continue: ${typed} train --resume ${out}`
      if (model === undefined) {
        terminal.print('stopped before the first step; nothing was saved')
        if (out !== undefined) terminal.print(wayOn)
        return
      }
      if (why !== undefined) terminal.print(why)
      if (steps === resumedAt) terminal.print('there was nothing left to do; --epochs or --steps asks for more')
      if (ended === 'aborted') {
        terminal.print(`stopped after ${countText(steps)} steps`)
        terminal.print(wayOn)
      }
      terminal.print(`saved ${model}`)
      if (ended !== 'aborted') terminal.print(`try it: ${typed} predict ${out} <pictures>`)
    },
  }
}
