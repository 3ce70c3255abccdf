/** Asks a trained model what is in pictures. */
import { readFile } from '#platform'
import { FoveaError } from '../../base/errors.ts'
import { chosen, flag, integer } from '../../base/options.ts'
import { printable } from '../../base/printable.ts'
import { engineOptions } from '../../engines/index.ts'
import type { Model } from '../../model/model.ts'
import type { Prediction, Ranked } from '../../model/prediction.ts'
import { openTrained } from '../../runs/open-model.ts'
import { defineCommand } from '../command.ts'
import { modelArgument, notePrecision } from '../network.ts'
import { metricText } from '../number-text.ts'

/** Larger files are refused unread: 64 MiB. */
const FILE_LIMIT = 64 * 2 ** 20

export const predict = defineCommand({
  says: 'Predict the most probable classes of pictures, or what else the model gives',
  arguments: [modelArgument, { name: 'picture', says: 'PNG, JPEG, WebP, GIF or AVIF files', takes: 'many' }],
  options: {
    top: integer({ says: 'classes per picture', min: 1, default: 3 }),
    ...engineOptions,
    json: flag({ says: 'print one JSON object per picture', default: false }),
  },
  examples: ['fovea predict model.safetensors digit.png'],
  async run({ arguments: [path, ...pictures], options }, terminal) {
    const model = await openTrained(path, chosen(engineOptions, options))
    await notePrecision(model, options, terminal)
    const widths = { picture: longest(pictures), className: longest(model.classNames ?? []) }
    let exitCode = 0
    for (const picture of pictures) {
      try {
        const found = answerOf(await predictionOf(model, picture), options.top)
        const rows = 'top' in found ? rowsOf(found.top, picture, widths) : [numbersOf(found.outputs, picture, widths)]
        const lines = options.json ? [JSON.stringify({ file: picture, ...found })] : rows
        for (const line of lines) terminal.print(line)
      } catch (error) {
        if (!(error instanceof FoveaError) || error.kind === 'usage') throw error // the next picture would fail alike
        terminal.note(error.message)
        exitCode ||= error.exitCode
      }
    }
    return exitCode
  },
})

async function predictionOf(model: Model, path: string): Promise<Prediction> {
  const bytes = await readFile(path, { limit: FILE_LIMIT })
  if (!bytes) throw new FoveaError('E_IO', { what: 'there is no such file', where: path })
  return model.predictPicture(bytes, path)
}

/** The most probable classes, or the numbers where there are no classes. */
const answerOf = (prediction: Prediction, count: number) =>
  prediction.head === 'linear' ? { outputs: Array.from(prediction.data) } : { top: prediction.top(count) }

/** A row per class; the picture is named in the first. */
function rowsOf(top: readonly Ranked[], picture: string, widths: { picture: number; className: number }): string[] {
  return top.map(({ className, probability }, i) =>
    [
      (i === 0 ? printable(picture) : '').padEnd(widths.picture),
      printable(className).padEnd(widths.className),
      probability.toFixed(4),
    ].join('  '),
  )
}

/** Numbers that are printed of a picture; --json has all. */
const SHOWN = 10

/** The outputs of a model without classes, in a row behind the picture. */
function numbersOf(outputs: readonly number[], picture: string, widths: { picture: number }): string {
  const rest = outputs.length > SHOWN ? [`... ${outputs.length} numbers; --json prints all`] : []
  const numbers = outputs.slice(0, SHOWN).map(metricText)
  return [printable(picture).padEnd(widths.picture), ...numbers, ...rest].join('  ')
}

const longest = (words: readonly string[]): number => Math.max(0, ...words.map((word) => printable(word).length))
