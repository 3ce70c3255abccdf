/**
 * A planted fault: one piece of the sources replaced by another while the module loads. The tree is never edited. A piece is
 * found by its tokens, so that line breaks, spaces, comments and trailing commas do not matter.
 */
import { stripTypeScriptTypes } from 'node:module'

export interface Fault {
  /** What is wrong with the library that has it. */
  readonly name: string
  /** The module, from the root of the project. */
  readonly file: string
  /** The top-level declaration that it is planted in: the name of a function, constant or class. The whole module when absent. */
  readonly within?: string
  /** Code whose tokens occur exactly once there. */
  readonly find: string
  readonly replace: string
  /** Who must notice: `golden` is all of test/ops/golden.test.ts, `golden: pooling` its tests whose name matches. */
  readonly tests: readonly string[]
}

/** Where the fault that a process runs with stands, as JSON; empty for none. */
export const VARIABLE = 'FOVEA_FAULT'

/** The module with its fault; throws where the table has rotted, and where the result is no module at all. */
export function planted(source: string, { name, file, within, find, replace }: Fault): string {
  const [from, to] = within === undefined ? [0, source.length] : declarationOf(source, within, `${name}: ${file}`)
  const texts = tokensOf(find).map(({ text }) => text)
  const takesComma = texts.at(-1) === ','
  const wanted = takesComma ? texts.slice(0, -1) : texts
  const endOf = ({ end }: Token): number =>
    takesComma ? end + (source.slice(end).match(/^\s*,/)?.[0].length ?? 0) : end
  const tokens = tokensOf(source).filter(({ start, end }) => start >= from && end <= to)
  const places = tokens.flatMap(({ start }, i) =>
    wanted.every((text, k) => tokens[i + k]?.text === text)
      ? [{ start, end: endOf(tokens[i + wanted.length - 1]) }]
      : [],
  )
  const where = within === undefined ? file : `${within} in ${file}`
  if (wanted.length === 0 || places.length !== 1)
    throw new Error(`${name}: ${where} has ${places.length} places like this, expected 1: ${find}`)
  const result = source.slice(0, places[0].start) + replace + source.slice(places[0].end)
  stripTypeScriptTypes(result) // throws where the syntax is wrong
  return result
}

interface Token {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Strings, names, numbers, `=>` and the like as one token each; the text of a template counts as code. */
const pattern =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|#?[\p{ID_Start}$_][\p{ID_Continue}$]*|\d[\w.]*|\.{3}|[=!]==?|[<>]=|=>|\*\*=?|&&=?|\|\|=?|\?\?=?|\?\.|[-+*/%]=|\S/gu

function tokensOf(code: string): Token[] {
  const all = [...code.matchAll(pattern)]
    .filter(([text]) => !/^\/[/*]/.test(text))
    .map(({ 0: text, index }) => ({ text, start: index, end: index + text.length }))
  return all.filter(({ text }, i) => text !== ',' || !/^[)\]}]$/.test(all[i + 1]?.text ?? ''))
}

/** Where a top-level declaration begins and ends: before the next line that begins one. */
function declarationOf(source: string, name: string, where: string): [from: number, to: number] {
  const start = new RegExp(String.raw`^(export )?(async )?(const|function\*?|class) ${name}\b`, 'm')
  const from = source.search(start)
  if (from < 0) throw new Error(`${where} declares no '${name}'`)
  const rest = source.indexOf('\n', from) + 1
  const next = source.slice(rest).search(/^(export|async|const|function|class|interface|type|\/\*\*)/m)
  return [from, next < 0 ? source.length : rest + next]
}
