/** Looks for a learning rate: the rate grows from step to step, the loss is watched. */
import { chosen, flag } from '../../base/options.ts'
import { engineOptions } from '../../engines/index.ts'
import { objectiveOptions } from '../../network/objective.ts'
import { dataOptions, loadData, refuseForeign } from '../../runs/data.ts'
import { networkOptions } from '../../runs/network-options.ts'
import { openForTraining } from '../../runs/open-model.ts'
import type { RateSearch } from '../../training/find-rate.ts'
import { findRateOptions } from '../../training/find-rate.ts'
import { fitOptions } from '../../training/fit-options.ts'
import { aligned } from '../columns.ts'
import { defineCommand } from '../command.ts'
import { notePrecision, trainedArgument } from '../network.ts'
import { metricText } from '../number-text.ts'

const { optimizer } = fitOptions
const training = {
  optimizer,
  ...objectiveOptions,
  batchSize: { ...fitOptions.batchSize, default: 128 },
  seed: fitOptions.seed,
}

export const findLearningRate = defineCommand({
  says: 'Look for a good learning rate: train while it grows, and watch the loss',
  arguments: [trainedArgument],
  options: {
    ...dataOptions,
    ...findRateOptions,
    ...training,
    ...networkOptions,
    ...engineOptions,
    json: flag({ says: 'print one JSON object', default: false }),
  },
  examples: ['fovea find-learning-rate lenet --data mnist'],
  async run({ arguments: [name], options, given }, terminal) {
    refuseForeign(given, [options.data], 'find-learning-rate')
    const model = await openForTraining(name, {
      seed: options.seed,
      ...chosen(engineOptions, options),
      ...chosen(networkOptions, options),
    })
    await notePrecision(model, options, terminal)
    const { train } = await loadData(options.data, options)
    if (!options.json) terminal.draw(`${options.steps} steps ...`)
    const found = await model.findLearningRate(train, {
      ...chosen(findRateOptions, options),
      ...chosen(training, options),
    })
    for (const line of options.json ? [JSON.stringify(found)] : linesOf(found)) terminal.print(line)
    return 0
  },
})

/** Lines that are printed, and characters that the longest bar has. */
const [ROWS, WIDTH] = [24, 40]

/** The loss over the rate as bars, the lowest loss the shortest of them, and the rate to take. */
function linesOf({ learningRates, losses, suggestion }: RateSearch): string[] {
  const every = Math.ceil(losses.length / ROWS)
  const shown = losses.flatMap((loss, i) => (i % every === 0 ? [{ loss, rate: learningRates[i] }] : []))
  const [lowest, highest] = [Math.min(...losses), Math.max(...losses)]
  const lengthOf = (loss: number): number =>
    highest > lowest ? ((loss - lowest) / (highest - lowest)) * (WIDTH - 1) : 0
  const rows = shown.map(({ loss, rate }) => [
    rate.toExponential(1),
    metricText(loss),
    '█'.repeat(1 + Math.round(lengthOf(loss))),
  ])
  const end =
    suggestion === undefined
      ? 'the loss falls nowhere: try other ends with --from and --to'
      : `falls fastest at ${suggestion.toExponential(1)}: take --learning-rate ${suggestion.toExponential(0)} or less`
  return [...aligned([['rate', 'loss'], ...rows]), '', end]
}
