/** Judges a trained model on the test part of a dataset. */
import { chosen, flag } from '../../base/options.ts'
import { engineOptions } from '../../engines/index.ts'
import { inferenceOptions } from '../../model/call-options.ts'
import { dataOptions, drawingSeed, loadData, refuseForeign } from '../../runs/data.ts'
import { openTrained } from '../../runs/open-model.ts'
import { defineCommand } from '../command.ts'
import { modelArgument, notePrecision } from '../network.ts'
import { metricText } from '../number-text.ts'

export const evaluate = defineCommand({
  says: 'Evaluate a trained model on the test part of a data set',
  arguments: [modelArgument],
  options: {
    ...dataOptions,
    seed: drawingSeed,
    ...inferenceOptions,
    json: flag({ says: 'print one JSON object', default: false }),
  },
  examples: ['fovea evaluate model.safetensors --data mnist'],
  async run({ arguments: [path], options, given }, terminal) {
    refuseForeign(given, [options.data], 'evaluate')
    const model = await openTrained(path, chosen(engineOptions, options))
    await notePrecision(model, options, terminal)
    const { test } = await loadData(options.data, options)
    const logs = await model.evaluate(test, { batchSize: options.batchSize })
    if (options.json) terminal.print(JSON.stringify(logs))
    else {
      const { name, description } = await model.engine()
      terminal.print(`engine ${name}: ${description}`)
      for (const [metric, value] of Object.entries(logs)) terminal.print(`${metric} ${metricText(value)}`)
    }
    return 0
  },
})
