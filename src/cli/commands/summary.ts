/** Prints the layers of a network. */
import { FoveaError } from '../../base/errors.ts'
import { chosen, flag, flagName, integer } from '../../base/options.ts'
import { engineOptions } from '../../engines/index.ts'
import { detailsCells, totalsLines } from '../../network/details.ts'
import { summaryOptions } from '../../network/summary.ts'
import { networkOptions } from '../../runs/network-options.ts'
import { openNetwork } from '../../runs/open-model.ts'
import { measureEpoch } from '../../runs/step-time.ts'
import { aligned } from '../columns.ts'
import { defineCommand } from '../command.ts'
import { networkArgument } from '../network.ts'

export const summary = defineCommand({
  says: 'Print the layers of a network, their shapes and parameters',
  arguments: [networkArgument],
  options: {
    ...summaryOptions,
    columns: integer({ says: "width to fit into; the terminal's when absent", min: 1, optional: true }),
    details: flag({
      says: 'multiply-adds, bytes of activations per sample and receptive field of each layer instead',
      default: false,
    }),
    time: flag({ says: 'how long an epoch takes on this machine, from about a second of steps', default: false }),
    samples: integer({ says: 'samples of the epoch of --time; 60000 when absent', min: 1, optional: true }),
    batchSize: integer({ says: 'samples per step of --time; 32 when absent', min: 1, optional: true }),
    ...networkOptions,
    ...engineOptions,
  },
  examples: [
    'fovea summary lenet',
    'fovea summary resnet50 --classes 10 --style keras2',
    'fovea summary mobilenetV2 --details',
    'fovea summary lenet --time',
  ],
  async run({ arguments: [name], options, given }, terminal) {
    const { style, lineLength, showTrainable, details, time, samples = 60_000, batchSize = 32 } = options
    if (details)
      refuseIdle(
        given,
        Object.keys(summaryOptions),
        'is for the table that --details replaces',
        'leave one of the two out',
      )
    if (!time) refuseIdle(given, ['samples', 'batchSize', ...Object.keys(engineOptions)], 'is for --time', 'add --time')
    const model = await openNetwork(name, { ...chosen(networkOptions, options), ...chosen(engineOptions, options) })
    if (details) for (const line of aligned(detailsCells(model.network))) terminal.print(line)
    else
      terminal.printLines(
        model.summary({ style, lineLength, showTrainable, columns: options.columns ?? terminal.columns }),
      )
    if (!details && style === 'keras3') for (const line of totalsLines(model.network)) terminal.print(line)
    if (time) {
      const { secondsPerStep, secondsPerEpoch, steps } = await measureEpoch(model, { samples, batchSize, seconds: 1 })
      const engine = await model.engine()
      terminal.print(
        `an epoch of ${samples} samples takes about ${secondsPerEpoch.toFixed(1)} s on ${engine.name}: ` +
          `${(1000 * secondsPerStep).toFixed(1)} ms a step of ${batchSize}, the median of ${steps}`,
      )
      await model.close()
    }
    return 0
  },
})

/** Refuses the first flag of `options` that was typed: alone it would do nothing. */
function refuseIdle(given: ReadonlySet<string>, options: readonly string[], why: string, hint: string): void {
  const idle = options.find((option) => given.has(option))
  if (idle !== undefined)
    throw new FoveaError('E_OPTION', { what: `--${flagName(idle)} ${why}`, where: 'summary', hint })
}
