/** The pages of docs/reference/, made from the tables of the library: nothing in them is written twice. */
import { errorCodes, errorWords, exitCodes, kindWords } from '../src/base/errors.ts'
import { acceptsOf } from '../src/base/kinds.ts'
import type { Kind, Option, OptionTable } from '../src/base/options.ts'
import { flagName, show } from '../src/base/options.ts'
import type { Command } from '../src/cli/command.ts'
import { commands } from '../src/cli/commands/index.ts'
import { compileOptions } from '../src/compile/program.ts'
import { datasetOptions, datasets, datasetWords } from '../src/data/datasets/index.ts'
import { preprocessingOptions } from '../src/data/preprocessing.ts'
import { transforms } from '../src/data/transforms/index.ts'
import { engineOptions, engines } from '../src/engines/index.ts'
import { loadTable, sequentialTable } from '../src/model/build.ts'
import { evaluateTable, findTable, fitTable, predictTable } from '../src/model/call-options.ts'
import { modelTable } from '../src/model/model.ts'
import { graphOptions, runOptions } from '../src/network/model-graph.ts'
import { summaryOptions } from '../src/network/summary.ts'
import { activations } from '../src/nn/activations.ts'
import { constraints } from '../src/nn/constraints.ts'
import { initializers } from '../src/nn/initializers.ts'
import { layers } from '../src/nn/layers/index.ts'
import { losses } from '../src/nn/losses.ts'
import { metrics } from '../src/nn/metrics.ts'
import { optimizers } from '../src/nn/optimizers.ts'
import { regularizers } from '../src/nn/regularizers.ts'
import { schedules } from '../src/nn/schedules.ts'
import type { PublicOp } from '../src/ops/checked.ts'
import { publicOps } from '../src/ops/public.ts'
import { rasterizeOptions } from '../src/platform/svg.ts'
import { callbackRows } from '../src/training/callbacks/index.ts'
import { zoo } from '../src/zoo/index.ts'

export const FOLDER = 'docs/reference'

/** Where the rows of a table are described, by the word for one of them. */
const homes: Readonly<Record<string, string>> = {
  loss: 'losses.md',
  metric: 'metrics.md',
  optimizer: 'optimizers.md',
  schedule: 'schedules.md',
  initializer: 'initializers.md',
  regularizer: 'regularizers.md',
  constraint: 'constraints.md',
  activation: 'activations.md',
}

/** A text as it stands in a cell of a table. */
const cell = (text: string): string =>
  text.replaceAll('\n', ' ').replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*')

const code = (text: string): string => `\`${text}\``
const article = (word: string): string => (/^[aeiou]/.test(word) ? 'an' : 'a')
const linked = (word: string, page: string): string => `${article(word)} [${word}](${page})`

/** The accepted values in words, tables of rows as links to their pages. */
function words(kind: Kind): string {
  switch (kind.kind) {
    case 'row':
      return `${linked(kind.what, homes[kind.what])}: ${kind.form === 'object' ? '' : 'its name, or '}\`{ type, ... }\``
    case 'either':
      return kind.of.map(words).join(', or ')
    case 'list':
      return `${cell(acceptsOf(kind)).split(', each ')[0]}, each ${words(kind.of)}`
    case 'record':
      return `by ${kind.keys}: ${words(kind.of)}`
    case 'choice':
      return kind.choices.map((one) => code(show(one))).join(', ')
    default:
      return cell(acceptsOf(kind))
  }
}

const standard = ({ required, default: value }: Option<unknown>): string =>
  required ? 'required' : value === undefined ? '' : code(show(value))

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** A table of options; the text under a heading where there are none. */
function optionsTable(options: OptionTable, none = 'No options.'): string {
  const rows = Object.entries(options).map(([name, option]) => [
    code(name),
    words(option.kind),
    standard(option),
    cell(option.says),
  ])
  return rows.length > 0 ? table(['option', 'accepts', 'default', ''], rows) : none
}

interface Row {
  readonly says?: string
  readonly options: OptionTable
}

/** Options that are the same in all rows. */
function commonOf(rows: Readonly<Record<string, Row>>): OptionTable {
  const [first, ...others] = Object.values(rows)
  const shared = Object.entries(first.options).filter(([name, option]) =>
    others.every(({ options }) => options[name] === option),
  )
  return others.length > 0 ? Object.fromEntries(shared) : {}
}

/** A section per row; options that all rows have stand once, at the top. */
function rowsPage(title: string, says: string, rows: Readonly<Record<string, Row>>, what: string): string {
  const common = commonOf(rows)
  const isOwn = (name: string): boolean => !Object.hasOwn(common, name)
  const sections = Object.entries(rows).map(([name, row]) => {
    const own = Object.fromEntries(Object.entries(row.options).filter(([option]) => isOwn(option)))
    const none = Object.keys(common).length > 0 ? 'No options of its own.' : 'No options.'
    return `## ${name}\n\n${cell(row.says ?? '')}\n\n${optionsTable(own, none)}`
  })
  const top = Object.keys(common).length > 0 ? [`## Options of every ${what}\n\n${optionsTable(common)}`] : []
  return page(title, says, [...top, ...sections])
}

const note = 'Made from the tables of the library by `npm run reference`; do not edit.'

const page = (title: string, says: string, sections: readonly string[]): string =>
  `${[`# ${title}`, says, ...sections, `<sub>${note}</sub>`].join('\n\n')}\n`

const layerRows = Object.fromEntries(
  Object.entries(layers).map(([name, { row }]) => {
    const several = row.inputs === 'several' ? ' Takes several tensors.' : ''
    return [name, { says: `${row.says} Keras: \`${row.className}\`.${several}`, options: row.options }]
  }),
)

const networkRows = Object.fromEntries(Object.entries(zoo).map(([name, { row }]) => [name, row]))

function opsPage(): string {
  const rows: Readonly<Record<string, PublicOp>> = publicOps
  const call = (name: string, { takes, attrs }: PublicOp): string => {
    const list = [...Object.keys(takes), ...(attrs ? [`{ ${Object.keys(attrs).join(', ')} }`] : [])]
    return `ops.${name}(${list.join(', ')})`
  }
  const isPlain = ({ takes, attrs }: PublicOp): boolean =>
    !attrs && Object.values(takes).every(({ says }) => says === 'values')
  const plain = Object.entries(rows).filter(([, row]) => isPlain(row))
  const others = Object.entries(rows).filter(([, row]) => !isPlain(row))
  const sections = others.map(([name, row]) => {
    const all = { ...row.takes, ...row.attrs }
    return `## ${name}\n\n${code(call(name, row))}\n\n${cell(row.says)}\n\n${optionsTable(all)}`
  })
  const head =
    'What graphs are made of. An argument is a node: what `placeholder`, `variable`, `constant` or another op gives.'
  const one = `## Of values alone\n\nThose of two operands broadcast; a number stands for a constant.\n\n${table(
    ['call', ''],
    plain.map(([name, row]) => [code(call(name, row)), cell(row.says)]),
  )}`
  const goals = `## compile\n\n\`compile(state, { outputs, updates }, options)\`\n\n${optionsTable(compileOptions)}`
  return page('Ops', head, [one, ...sections, goals])
}

const optionSections: Readonly<Record<string, OptionTable>> = {
  'sequential(options, layers)': sequentialTable,
  'model(inputs, outputs, options)': modelTable,
  'loadModel(path, options), modelFrom(bytes, name, options)': loadTable,
  'fit(data, options)': fitTable,
  'evaluate(data, options)': evaluateTable,
  'predict(samples, options)': predictTable,
  'findLearningRate(data, options)': findTable,
  'summary(options)': summaryOptions,
  'graph(options)': graphOptions,
  'run(goals, inputs, options)': runOptions,
}

const modelsPage = (): string =>
  page('Models', 'How models are made and used, and their options.', [
    ...Object.entries(optionSections).map(([call, options]) => `## ${call}\n\n${optionsTable(options)}`),
    `## Engines\n\nOptions that choose an engine are those of \`openEngine\` too, without \`precision\`.\n\n${optionsTable(engineOptions)}\n\n${table(
      ['engine', ''],
      Object.entries(engines).map(([name, { says }]) => [code(show(name)), cell(says)]),
    )}`,
  ])

const dataPage = (): string =>
  page('Data', 'Datasets by name, transforms of their samples, and what makes an input of a picture.', [
    ...Object.keys(datasets).map((name) => {
      const key = name as keyof typeof datasets
      return `## datasets.${name}\n\n${cell(datasetWords[key])}\n\n${optionsTable(datasetOptions[key])}`
    }),
    `## Transforms\n\nThe list of \`transform(dataset, [{ type, ... }])\`, in its order; \`field\` names the input where there are several.`,
    ...Object.entries(transforms).map(
      ([name, { says, options }]) => `### ${name}\n\n${cell(says)}.\n\n${optionsTable(options)}`,
    ),
    `## Preprocessing\n\n\`preprocess(image, preprocessing)\`, and \`model.preprocessing\`.\n\n${optionsTable(preprocessingOptions)}`,
    `## rasterize(svg, options)\n\nThe pixels of a drawing.\n\n${optionsTable(rasterizeOptions)}`,
  ])

function commandSection(name: string, command: Command): string {
  const { says, arguments: wanted, options, examples } = command
  const shown = ({ name, takes }: Command['arguments'][number]): string =>
    takes === 'many' ? `<${name}...>` : takes === 'maybe' ? `[${name}]` : `<${name}>`
  const usage = ['fovea', name, ...wanted.map(shown), ...(Object.keys(options).length > 0 ? ['[options]'] : [])]
  const flags = Object.entries(options).map(([option, { kind, says, isSwitch, ...rest }]) => [
    code(`--${isSwitch && rest.default === true ? '[no-]' : ''}${flagName(option)}`),
    isSwitch ? 'a switch' : words(kind),
    isSwitch ? '' : standard({ kind, says, ...rest }),
    cell(says),
  ])
  const parts = [
    `## fovea ${name}`,
    `${cell(says)}.`,
    `\`\`\`sh\n${[usage.join(' '), ...examples.map((example) => example)].join('\n')}\n\`\`\``,
    ...(wanted.length > 0
      ? [
          table(
            ['argument', ''],
            wanted.map((argument) => [code(shown(argument)), cell(argument.says)]),
          ),
        ]
      : []),
    ...(flags.length > 0 ? [table(['flag', 'accepts', 'default', ''], flags)] : []),
  ]
  return parts.join('\n\n')
}

const commandsPage = (): string =>
  page(
    'Commands',
    'The command `fovea`: `npm run -s fovea -- <command>` in a clone, `npx fovea <command>` where the package is installed. ' +
      'A switch is turned off by `--no-` before its name. What is an object in code is JSON on a command line.',
    Object.entries(commands).map(([name, command]) => commandSection(name, command)),
  )

function errorsPage(): string {
  const codes = Object.entries(errorCodes).map(([name, kind]) => [
    code(name),
    cell(errorWords[name as keyof typeof errorWords]),
    kind,
    `${exitCodes[kind]}`,
  ])
  const kinds = Object.entries(exitCodes).map(([kind, exit]) => [
    kind,
    kindWords[kind as keyof typeof kindWords],
    `${exit}`,
  ])
  const says =
    'Every error is a `FoveaError` with a `code`, and a message that says where, what, what was expected, what came, and the way out. ' +
    'Codes are stable. A command ends with the exit code; one that a signal n ends, with 128 + n.'
  return page('Errors', says, [
    table(['code', '', 'kind', 'exit code'], codes),
    `## Kinds\n\n${table(['kind', '', 'exit code'], kinds)}`,
  ])
}

/** Pages of rows: title, what it is, the rows, the word for one. */
const tables: Readonly<
  Record<string, readonly [title: string, says: string, rows: Readonly<Record<string, Row>>, what: string]>
> = {
  'layers.md': [
    'Layers',
    'Every layer by its word in code and in model files; `name` names it in its model. Shapes are those of one sample.',
    layerRows,
    'layer',
  ],
  'losses.md': ['Losses', 'The option `loss`: a name, or `{ type, ... }` with options.', losses, 'loss'],
  'metrics.md': ['Metrics', 'The option `metrics`: names, or `{ type, ... }` with options.', metrics, 'metric'],
  'optimizers.md': [
    'Optimizers',
    'The option `optimizer`: a name, or `{ type, ... }` with options.',
    optimizers,
    'optimizer',
  ],
  'schedules.md': [
    'Learning rate schedules',
    'The option `learningRate` as `{ type, ... }`. An update is a step, or several where gradients are accumulated.',
    schedules,
    'schedule',
  ],
  'initializers.md': [
    'Initializers',
    'First values of weights: a name, or `{ type, ... }` with options.',
    initializers,
    'initializer',
  ],
  'regularizers.md': [
    'Regularizers',
    'Penalties on weights: a name, or `{ type, ... }` with options.',
    regularizers,
    'regularizer',
  ],
  'constraints.md': [
    'Constraints',
    'What a weight is held to after every update: a name, or `{ type, ... }` with options.',
    constraints,
    'constraint',
  ],
  'activations.md': [
    'Activations',
    'The option `activation` of a layer, and of the layer `activation`: a name, or `{ type, ... }` with options.',
    activations,
    'activation',
  ],
  'zoo.md': [
    'Zoo',
    'Networks by name: `zoo.<name>(options)` makes a model, the command takes the name and the options as flags. All have the options of `model` too.',
    networkRows,
    'network',
  ],
  'callbacks.md': [
    'Callbacks',
    'What `callbacks.<name>(options)` gives goes into the list `callbacks` of `fit`.',
    callbackRows,
    'callback',
  ],
}

/** Every table of options that has a page, by what it is of. */
export function referenceTables(): Readonly<Record<string, OptionTable>> {
  const rows = Object.values(tables).flatMap(([, , rows]) => Object.entries(rows))
  const ofCommands = Object.entries(commands).map(([name, { options }]) => [`fovea ${name}`, options] as const)
  return {
    ...optionSections,
    ...datasetOptions,
    preprocessing: preprocessingOptions,
    rasterize: rasterizeOptions,
    ...Object.fromEntries(Object.entries(transforms).map(([name, { options }]) => [name, options])),
    ...Object.fromEntries(rows.map(([name, { options }]) => [name, options])),
    ...Object.fromEntries(ofCommands),
  }
}

/** Every page by its file name. */
export function referencePages(): Readonly<Record<string, string>> {
  const pages: Record<string, string> = {
    'models.md': modelsPage(),
    ...Object.fromEntries(
      Object.entries(tables).map(([file, [title, says, rows, what]]) => [file, rowsPage(title, says, rows, what)]),
    ),
    'data.md': dataPage(),
    'ops.md': opsPage(),
    'commands.md': commandsPage(),
    'errors.md': errorsPage(),
  }
  const titles = Object.entries(pages).map(([file, text]) => {
    const [title, , says] = text.split('\n')
    return `- [${title.slice(2)}](${file}): ${says}`
  })
  return { 'README.md': page('Reference', 'Every name and option of Fovea.', [titles.join('\n')]), ...pages }
}
