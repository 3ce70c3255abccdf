/** Prints the layers of a network. */
import { chosen, integer } from '../../base/options.ts'
import { summaryOptions } from '../../network/summary.ts'
import { openNetwork } from '../../runs/open-model.ts'
import { networkOptions } from '../../zoo/options.ts'
import { defineCommand } from '../command.ts'
import { networkArgument } from '../network.ts'

export const summary = defineCommand({
  says: 'Print the layers of a network, their shapes and parameters',
  arguments: [networkArgument],
  options: {
    ...summaryOptions,
    ...networkOptions,
    columns: integer({ says: "width to fit into; the terminal's when absent", min: 1, optional: true }),
  },
  examples: ['fovea summary lenet', 'fovea summary resnet50 --classes 10 --style keras2'],
  async run({ arguments: [name], options }, terminal) {
    const { style, lineLength, showTrainable } = options
    const model = await openNetwork(name, chosen(networkOptions, options))
    terminal.printLines(
      model.summary({ style, lineLength, showTrainable, columns: options.columns ?? terminal.columns }),
    )
    return 0
  },
})
