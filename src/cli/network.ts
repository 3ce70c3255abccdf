/** The network of a command: its argument in help texts, and a remark on its precision. */
import type { EngineChoice } from '../engines/index.ts'
import type { Model } from '../model/model.ts'
import { classifierNames } from '../runs/open-model.ts'
import { zooNames } from '../zoo/index.ts'
import type { Terminal } from './terminal.ts'

/** Arguments as the help texts have them. */
const network = (names: readonly string[]) => ({
  name: 'network',
  says: `${names.join(', ')}, or a trained model's file or run folder`,
})
export const networkArgument = network(zooNames)
/** To be trained. */
export const trainedArgument = network(classifierNames)
export const modelArgument = { name: 'model', says: "a trained model's file (.safetensors), or the folder of its run" }

/** Says so when the engine cannot compute as it was asked to. */
export async function notePrecision(model: Model, { precision }: EngineChoice, terminal: Terminal): Promise<void> {
  if (precision === undefined) return
  const { name, precisions } = await model.engine()
  if (!precisions.includes(precision)) terminal.note(`${name} computes ${precision} in float32`)
}
