/** Prints the layers of a network. */
import { chosen, flag, integer } from '../../base/options.ts'
import { engineOptions } from '../../engines/index.ts'
import { detailsCells } from '../../network/details.ts'
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
    samples: integer({ says: 'samples of the epoch of --time', min: 1, default: 60_000 }),
    batchSize: integer({ says: 'samples per step of --time', min: 1, default: 32 }),
    ...networkOptions,
    ...engineOptions,
  },
  examples: [
    'fovea summary lenet',
    'fovea summary resnet50 --classes 10 --style keras2',
    'fovea summary mobilenetV2 --details',
    'fovea summary lenet --time',
  ],
  async run({ arguments: [name], options }, terminal) {
    const { style, lineLength, showTrainable, details, time, samples, batchSize } = options
    const model = await openNetwork(name, { ...chosen(networkOptions, options), ...chosen(engineOptions, options) })
    if (details) for (const line of aligned(detailsCells(model.network))) terminal.print(line)
    else
      terminal.printLines(
        model.summary({ style, lineLength, showTrainable, columns: options.columns ?? terminal.columns }),
      )
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
