#!/usr/bin/env node
/** The command `fovea`: picks the command, and turns what it throws into a message and an exit code. */
import { inspect } from 'node:util'
import { didYouMean, exitCodes, FoveaError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { messageOf } from '../base/realm.ts'
import { version } from '../runs/version.ts'
import { readCall } from './command.ts'
import { commands } from './commands/index.ts'
import { commandHelp, overview } from './help.ts'
import { type Terminal, terminalOf } from './terminal.ts'

/** Signal 13: the reader of our output has ended (`fovea ... | head -1`). */
const BROKEN_PIPE = 128 + 13

async function main([first, ...rest]: readonly string[], terminal: Terminal): Promise<number> {
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const [about] = rest
    if (first === 'help' && about !== undefined) return main([about, '--help'], terminal)
    terminal.printLines(overview(commands, terminal.columns))
    return first === undefined ? exitCodes.usage : 0
  }
  if (first === '--version') {
    terminal.print(version())
    return 0
  }
  if (!Object.hasOwn(commands, first)) {
    const names = Object.keys(commands)
    const hint = didYouMean(first, names) ?? `the commands are ${names.join(', ')}`
    throw new FoveaError('E_OPTION', { what: `there is no command '${first}'`, hint })
  }
  const command = commands[first]
  const call = readCall(first, command, rest)
  if (call !== 'help') return command.run(call, terminal)
  terminal.printLines(commandHelp(first, command, terminal.columns))
  return 0
}

/** Says what went wrong; a stack only for our own mistakes, or when FOVEA_DEBUG is set. */
function explain(error: unknown, terminal: Terminal): number {
  const isOurs = !(error instanceof FoveaError) || error.kind === 'bug'
  const message = messageOf(error)
  terminal.note(isOurs ? `this is a bug in Fovea, please report it with everything below: ${message}` : message)
  if (isOurs || process.env['FOVEA_DEBUG'])
    for (const line of inspect(error).split('\n')) console.error(printable(line))
  return isOurs ? exitCodes.bug : error.exitCode
}

const terminal = terminalOf(process)
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? BROKEN_PIPE : explain(error, terminal))
})
process.exitCode = await main(process.argv.slice(2), terminal).catch((error) => explain(error, terminal))
