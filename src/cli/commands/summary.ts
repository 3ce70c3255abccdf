/** Prints the layers of a network. */
import { integer } from '../../base/options.ts'
import { summaryOptions } from '../../network/summary.ts'
import { openNetwork } from '../../runs/open-model.ts'
import { defineCommand } from '../command.ts'
import { networkArgument } from '../network.ts'

export const summary = defineCommand({
  says: 'Print the layers of a network, their shapes and parameters',
  arguments: [networkArgument],
  options: {
    ...summaryOptions,
    columns: integer({ says: "width to fit into; the terminal's when absent", min: 1, optional: true }),
  },
  examples: ['fovea summary lenet'],
  async run({ arguments: [name], options }, terminal) {
    const model = await openNetwork(name)
    terminal.printLines(model.summary({ ...options, columns: options.columns ?? terminal.columns }))
    return 0
  },
})
