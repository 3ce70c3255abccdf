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
    report: flag({ says: 'precision, recall and F1 of every class, and the confusion matrix', default: false }),
    json: flag({ says: 'print one JSON object', default: false }),
  },
  examples: ['fovea evaluate model.safetensors --data mnist', 'fovea evaluate model.safetensors --data mnist --report'],
  async run({ arguments: [path], options, given }, terminal) {
    refuseForeign(given, [options.data], 'evaluate')
    const model = await openTrained(path, chosen(engineOptions, options))
    await notePrecision(model, options, terminal)
    const { test } = await loadData(options.data, options)
    const how = { batchSize: options.batchSize }
    const report = options.report ? await model.classificationReport(test, how) : undefined
    const { logs, ...classes } = report ?? { logs: await model.evaluate(test, how) }
    if (options.json) terminal.print(JSON.stringify({ ...logs, ...(report && { report: classes }) }))
    else {
      const { name, description } = await model.engine()
      terminal.print(`engine ${name}: ${description}`)
      for (const [metric, value] of Object.entries(logs)) terminal.print(`${metric} ${metricText(value)}`)
      if (report) terminal.printLines(`\n${report}`)
    }
    return 0
  },
})
