/** Help texts, made from the tables of the commands. */
import { flagName, type Option, show, text } from '../base/options.ts'
import { definitions } from './columns.ts'
import type { Argument, Command } from './command.ts'

/** Lines longer than this are hard to read, however wide the terminal is. */
const widest = 100

/** What `fovea --help` prints. */
export function overview(commands: Readonly<Record<string, Command>>, columns: number): string {
  const rows = Object.entries(commands).map(([name, { says }]) => [name, says] as const)
  return page('Fovea: train, evaluate and use convolutional neural networks', columns, {
    usage: ['fovea <command> [arguments] [options]'],
    commands: rows,
    options: [
      ['--help', 'this text; after a command, the help of that command'],
      ['--version', 'the version of Fovea'],
    ],
    examples: Object.values(commands).flatMap(({ examples }) => examples.slice(0, 1)),
  })
}

/** What `fovea <name> --help` prints. */
export function commandHelp(name: string, command: Command, columns: number): string {
  const { says, arguments: wanted, options, examples } = command
  const required = Object.entries(options).filter(([, { required }]) => required)
  const usage = [
    `fovea ${name}`,
    ...wanted.map(shown),
    ...required.map(([option]) => `--${flagName(option)} <${option}>`),
  ]
  return page(says, columns, {
    usage: [`${usage.join(' ')} [options]`],
    arguments: wanted.map((argument) => [shown(argument), argument.says] as const),
    ...optionSections(command),
    examples,
  })
}

const shown = ({ name, takes }: Argument): string =>
  takes === 'many' ? `<${name}...>` : takes === 'maybe' ? `[${name}]` : `<${name}>`

/** The options group by group, in the order of the groups; those of none at the end. */
function optionSections({ options, groups = {} }: Command): Record<string, Rows> {
  const rest = new Map(Object.entries(options))
  const sections = Object.entries(groups).map(([title, table]) => {
    const names = Object.keys(table).filter((name) => rest.delete(name))
    return [title, names.map((name) => optionRow(name, options[name]))]
  })
  const last = [...rest].map(([name, option]) => optionRow(name, option))
  return { ...Object.fromEntries(sections), options: last }
}

function optionRow(name: string, option: Option<unknown>): readonly [string, string] {
  const flag = flagName(option.isSwitch && option.default === true ? `[no-]${name}` : name)
  const facts = factsOf(option)
  return [`--${flag}`, facts.length > 0 ? `${option.says} (${facts.join('; ')})` : option.says]
}

const anyText = text({ says: '' }).accepts

function factsOf({ isSwitch, accepts, required, default: value }: Option<unknown>): string[] {
  if (isSwitch) return value === true ? ['on'] : []
  const facts = accepts === anyText ? [] : [accepts]
  if (required) return [...facts, 'required']
  return value === undefined ? facts : [...facts, `default ${show(value)}`]
}

type Rows = readonly (readonly [word: string, says: string])[]

/** Titles over indented lines or definitions; a title over nothing is left out. */
function page(says: string, columns: number, sections: Readonly<Record<string, readonly string[] | Rows>>): string {
  const isRows = (lines: readonly string[] | Rows): lines is Rows => typeof lines[0] !== 'string'
  const blocks = Object.entries(sections)
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => {
      const body = isRows(lines) ? definitions(lines, Math.min(columns, widest)) : lines.map((line) => `  ${line}`)
      return [title, ...body].join('\n')
    })
  return [`${says}.`, ...blocks].join('\n\n')
}
