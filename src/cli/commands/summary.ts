/** Prints the layers of a network. */
import { summaryOptions } from '../../model/summary.ts'
import { defineCommand } from '../command.ts'
import { networkArgument, openNetwork } from '../network.ts'

export const summary = defineCommand({
  says: 'Print the layers of a network, their shapes and parameters',
  arguments: [networkArgument],
  options: summaryOptions,
  examples: ['fovea summary lenet'],
  async run({ arguments: [name], options, given }, terminal) {
    const model = await openNetwork(name)
    terminal.print(model.summary(given.has('columns') ? options : { ...options, columns: terminal.columns }))
    return 0
  },
})
