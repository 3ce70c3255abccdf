/** Looks for a batch size: the speed and the memory of a step, from small batches to large ones. */
import { chosen, flag } from '../../base/options.ts'
import { engineOptions } from '../../engines/index.ts'
import { sizeText } from '../../network/summary.ts'
import { dataOptions, loadData, refuseForeign } from '../../runs/data.ts'
import { openForTraining } from '../../runs/open-model.ts'
import type { BatchSizeSearch } from '../../training/find-batch-size.ts'
import { findBatchSizeOptions } from '../../training/find-batch-size.ts'
import { fitOptions } from '../../training/fit-options.ts'
import { aligned } from '../columns.ts'
import { defineCommand } from '../command.ts'
import { notePrecision, trainedArgument } from '../network.ts'

const tried = { ...findBatchSizeOptions, optimizer: fitOptions.optimizer, seed: fitOptions.seed }

export const findBatchSize = defineCommand({
  says: 'Look for a good batch size: the speed and memory of a training step',
  arguments: [trainedArgument],
  options: {
    ...dataOptions,
    ...tried,
    ...engineOptions,
    json: flag({ says: 'print one JSON object', default: false }),
  },
  examples: ['fovea find-batch-size lenet --data mnist'],
  async run({ arguments: [name], options, given }, terminal) {
    refuseForeign(given, [options.data], 'find-batch-size')
    const model = await openForTraining(name, { seed: options.seed, ...chosen(engineOptions, options) })
    await notePrecision(model, options, terminal)
    const { train } = await loadData(options.data, options)
    if (!options.json) terminal.draw(`${options.from} to ${options.to} images a step ...`)
    const found = await model.findBatchSize(train, chosen(tried, options))
    for (const line of options.json ? [JSON.stringify(found)] : linesOf(found)) terminal.print(line)
    return 0
  },
})

function linesOf({ sizes, suggestion, ended }: BatchSizeSearch): string[] {
  const rows = sizes.map(({ batchSize, imagesPerSecond, arenaBytes }) => [
    `${batchSize}`,
    `${Math.round(imagesPerSecond)}`,
    sizeText(arenaBytes),
  ])
  return [
    ...aligned([['batch size', 'images/s', 'memory of a step'], ...rows]),
    '',
    `no larger one: ${ended ?? 'this is the largest to try, --to'}`,
    `the smallest that is nearly as fast as the fastest: --batch-size ${suggestion}`,
    'This is about speed only: larger batches mean fewer steps an epoch, and may need another learning rate.',
  ]
}
