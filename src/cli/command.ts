/** What a command is, and how the words of a command line become its options. */
import { parseArgs } from 'node:util'
import { FoveaError } from '../base/errors.ts'
import { flagName, type Option, type OptionTable, type Settled, settle } from '../base/options.ts'
import type { Terminal } from './terminal.ts'

export interface Argument {
  readonly name: string
  readonly says: string
  /** 'many': one or more, and the last of the command; 'maybe': none or one. */
  readonly takes?: 'one' | 'many' | 'maybe'
}

export interface Command<T extends OptionTable = OptionTable> {
  /** One line for the list of commands. */
  readonly says: string
  readonly arguments: readonly Argument[]
  readonly options: T
  /** Options that the help shows together, by title; the tables say which ones. */
  readonly groups?: Readonly<Record<string, OptionTable>>
  readonly examples: readonly string[]
  /** Resolves to the exit code. */
  run(call: Call<T>, terminal: Terminal): Promise<number>
}

/** A command line, read and checked. */
export interface Call<T extends OptionTable = OptionTable> {
  /** As typed, the command's name first. */
  readonly words: readonly string[]
  readonly arguments: readonly string[]
  readonly options: Settled<T>
  /** Names of the options that were typed; the others have their defaults. */
  readonly given: ReadonlySet<string>
}

export const defineCommand = <const T extends OptionTable>(command: Command<T>): Command => command

const wantsHelp = ['--help', '-h']
type FlagTable = Readonly<Record<string, Option<unknown>>>

/** Reads what follows the command's name; of a flag that is repeated, the last one counts. */
export function readCall<T extends OptionTable>(
  name: string,
  command: Command<T>,
  words: readonly string[],
): Call<T> | 'help' {
  const names = new Map(Object.keys(command.options).map((option) => [`--${flagName(option)}`, option]))
  const flags = Object.fromEntries([...names].map(([flag, option]) => [flag, command.options[option]]))
  const { tokens } = parseArgs({
    args: [...words],
    options: syntaxOf(flags),
    strict: false, // the complaints below say more
    allowPositionals: true,
    tokens: true,
  })
  const given: Record<string, unknown> = {}
  const found: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') found.push(token.value)
    if (token.kind !== 'option') continue
    if (wantsHelp.includes(token.rawName)) return 'help'
    const [flag, value] = entryOf(flags, token, name)
    given[flag] = value
  }
  refuseFewer(command.arguments, found, name)
  const settled = settle(flags, given, name)
  refuseMore(command.arguments, found, name) // after the unknown flags: their values look like arguments
  return {
    words: [name, ...words],
    arguments: found,
    options: Object.fromEntries([...names].map(([flag, option]) => [option, settled[flag]])) as Settled<T>,
    given: new Set(Object.keys(given).map((flag) => names.get(flag) ?? flag)),
  }
}

function syntaxOf(flags: FlagTable): Record<string, { type: 'boolean' | 'string'; short?: string }> {
  const bare = Object.entries(flags).map(([flag, option]) => [flag.slice(2), option] as const)
  return {
    help: { type: 'boolean', short: 'h' },
    ...Object.fromEntries(bare.map(([flag, { isSwitch }]) => [flag, { type: isSwitch ? 'boolean' : 'string' }])),
    ...Object.fromEntries(
      bare.filter(([, { isSwitch }]) => isSwitch).map(([flag]) => [`no-${flag}`, { type: 'boolean' }]),
    ),
  }
}

/** An unknown flag is kept as it is: `settle` refuses it and knows the nearest one. */
function entryOf(
  flags: FlagTable,
  { rawName, value }: { rawName: string; value?: string | undefined },
  where: string,
): [flag: string, value: unknown] {
  const opposite = rawName.replace(/^--no-/, '--')
  if (opposite !== rawName && value === undefined && flags[opposite]?.isSwitch) return [opposite, false]
  const option = flags[rawName]
  if (!option) return [rawName, value]
  if (value !== undefined) return [rawName, parsed(option, value)]
  if (option.isSwitch) return [rawName, true]
  throw new FoveaError('E_OPTION', { what: `'${rawName}' needs a value`, where, expected: option.accepts })
}

/** The value of the text, or the text itself where it has none: the check then quotes it. */
function parsed(option: Option<unknown>, text: string): unknown {
  try {
    const value = option.parse(text)
    return Number.isNaN(value) ? text : value
  } catch {
    return text
  }
}

function refuseFewer(wanted: readonly Argument[], found: readonly string[], where: string): void {
  const missing = wanted[found.length]
  if (missing && missing.takes !== 'maybe')
    throw new FoveaError('E_OPTION', { what: `<${missing.name}> is missing`, where, hint: `see fovea ${where} --help` })
}

function refuseMore(wanted: readonly Argument[], found: readonly string[], where: string): void {
  if (wanted.at(-1)?.takes === 'many' || found.length <= wanted.length) return
  throw new FoveaError('E_OPTION', { what: 'one argument too many', where, got: `'${found[wanted.length]}'` })
}
