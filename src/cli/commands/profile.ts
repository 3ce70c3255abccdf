/** Measures a network: the speed of a step, what it needs, and where its time goes. */
import { chosen, flag, integer } from '../../base/options.ts'
import { engineOptions } from '../../engines/index.ts'
import { sizeText } from '../../network/summary.ts'
import { dataOptions, loadData, refuseForeign } from '../../runs/data.ts'
import { openForTraining } from '../../runs/open-model.ts'
import { fitOptions } from '../../training/fit-options.ts'
import type { StageShare, StepProfile } from '../../training/profile.ts'
import { profileOptions } from '../../training/profile.ts'
import { aligned } from '../columns.ts'
import { defineCommand } from '../command.ts'
import { notePrecision, trainedArgument } from '../network.ts'

const measured = {
  ...profileOptions,
  optimizer: fitOptions.optimizer,
  batchSize: { ...fitOptions.batchSize, default: 128 },
  seed: fitOptions.seed,
}

export const profile = defineCommand({
  says: 'Measure a step: its speed, its memory, and where its time goes',
  arguments: [trainedArgument],
  options: {
    ...dataOptions,
    ...measured,
    ...engineOptions,
    top: integer({ says: 'kinds of stages that are listed, those that take longest', min: 1, default: 12 }),
    json: flag({ says: 'print one JSON object, with every stage', default: false }),
  },
  examples: ['fovea profile lenet --data digits', 'fovea profile lenet --data mnist --mode predict --engine native'],
  async run({ arguments: [name], options, given }, terminal) {
    refuseForeign(given, [options.data], 'profile')
    const model = await openForTraining(name, { seed: options.seed, ...chosen(engineOptions, options) })
    await notePrecision(model, options, terminal)
    const { train } = await loadData(options.data, options)
    const found = await model.profile(train, chosen(measured, options))
    if (options.json) {
      terminal.print(JSON.stringify(found))
      return 0
    }
    const { name: engine, description } = await model.engine()
    terminal.print(`engine ${engine}: ${description}`)
    for (const line of linesOf(found, options.top)) terminal.print(line)
    return 0
  },
})

/** Stages of one kind: how many of them a step has, and what they take together. */
interface Kind {
  readonly title: string
  readonly stages: number
  readonly seconds: number
  readonly share: number
}

const titleOf = ({ name, kernel }: StageShare): string => (kernel === undefined ? name : `${name} (${kernel})`)

/** By kind, the longest first. */
function kindsOf(stages: readonly StageShare[]): Kind[] {
  const kinds = new Map<string, Kind>()
  for (const stage of stages) {
    const title = titleOf(stage)
    const { stages: count, seconds, share } = kinds.get(title) ?? { stages: 0, seconds: 0, share: 0 }
    kinds.set(title, { title, stages: count + 1, seconds: seconds + stage.seconds, share: share + stage.share })
  }
  return [...kinds.values()].sort((a, b) => b.seconds - a.seconds)
}

const milliseconds = (seconds: number): string => (seconds * 1000).toFixed(3)

function linesOf(
  { mode, batchSize, seconds, imagesPerSecond, arenaBytes, stages }: StepProfile,
  top: number,
): string[] {
  const kinds = kindsOf(stages)
  const rest = kinds.slice(top)
  const shown = kinds.slice(0, top).map(rowOf)
  const total = (of: (kind: Kind) => number): number => rest.reduce((sum, kind) => sum + of(kind), 0)
  const others = {
    title: `${rest.length} more kinds`,
    stages: total(({ stages }) => stages),
    seconds: total(({ seconds }) => seconds),
    share: total(({ share }) => share),
  }
  return [
    `a step of ${mode === 'train' ? 'training' : 'prediction'} on ${batchSize} images: ${milliseconds(seconds)} ms, ${Math.round(imagesPerSecond)} images/s`,
    `memory ${sizeText(arenaBytes)} for a step, without weights and optimizer`,
    '',
    ...aligned([['stage', 'stages', 'ms', 'share'], ...shown, ...(rest.length > 0 ? [rowOf(others)] : [])]),
  ]
}

const rowOf = ({ title, stages, seconds, share }: Kind): string[] => [
  title,
  `${stages}`,
  milliseconds(seconds),
  `${(100 * share).toFixed(1)} %`,
]
