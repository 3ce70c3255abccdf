/**
 * The guards of a source file: every condition that stands between a reader and one of its complaints, found in the
 * syntax, so that a new one counts from the day it is written. `without` is the text that takes a guard away.
 */
import { readFileSync } from 'node:fs'
import { parseAst } from 'vite'

export interface Guard {
  readonly file: string
  readonly line: number
  readonly text: string
  readonly start: number
  readonly end: number
  readonly without: string
}

interface Syntax {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

const isSyntax = (value: unknown): value is Syntax => typeof value === 'object' && value !== null && 'type' in value

function* walk(value: unknown): Generator<Syntax> {
  if (typeof value !== 'object' || value === null) return
  if (isSyntax(value)) yield value
  for (const child of Object.values(value)) yield* walk(child)
}

/** `a && b && c` in parts, or `a || b || c`; anything else is one part. */
function partsOf(node: Syntax, operator: '&&' | '||'): Syntax[] {
  if (node.type === 'ParenthesizedExpression') return partsOf(node['expression'] as Syntax, operator)
  if (node.type !== 'LogicalExpression' || node['operator'] !== operator) return [node]
  return [node['left'], node['right']].flatMap((side) => partsOf(side as Syntax, operator))
}

const statementsOf = (node: unknown): Syntax[] =>
  isSyntax(node) ? (node.type === 'BlockStatement' ? (node['body'] as Syntax[]) : [node]) : []
const endsIn = (node: unknown, ...types: readonly string[]): boolean =>
  types.includes(statementsOf(node).at(-1)?.type ?? '')

/** Ends in a complaint of its own; an error of another's that is handed on is none. */
const isComplaining = (node: unknown): boolean => {
  const last = statementsOf(node).at(-1)
  return last?.type === 'ThrowStatement' && (last['argument'] as Syntax).type !== 'Identifier'
}

const unwrapped = (node: unknown): Syntax | undefined =>
  isSyntax(node) && node.type === 'ParenthesizedExpression'
    ? unwrapped(node['expression'])
    : isSyntax(node)
      ? node
      : undefined

/** Calls that do nothing but look, by their names. */
const look = /^(reader|this)\.(need|end)\(|^(want|check|refuse)[A-Z]?\w*\(/

/** Pairs of a condition and what it becomes when the guard is away. */
function* conditions(program: unknown, text: string): Generator<[node: Syntax, without: string]> {
  for (const node of walk(program)) {
    if (node.type === 'IfStatement' && isComplaining(node['consequent'])) {
      for (const part of partsOf(node['test'] as Syntax, '||')) {
        const inner = part.type === 'UnaryExpression' && part['operator'] === '!' ? (part['argument'] as Syntax) : part
        const all = inner === part ? [] : partsOf(inner, '&&')
        if (all.length > 1) for (const one of all) yield [one, 'true']
        else yield [part, 'false']
      }
    }
    // if (fine) return; throw: what follows an early end is the complaint
    for (const list of [node['body'], node['consequent']]) {
      if (!Array.isArray(list)) continue
      for (const [i, statement] of (list as Syntax[]).entries()) {
        const rest = (list as Syntax[]).slice(i + 1)
        const isComplaint = rest.at(-1)?.type === 'ThrowStatement' && rest.slice(0, -1).every(isDeclaration)
        if (statement.type !== 'IfStatement' || !isComplaint) continue
        if (endsIn(statement['consequent'], 'ReturnStatement', 'ContinueStatement'))
          for (const part of partsOf(statement['test'] as Syntax, '&&')) yield [part, 'true']
      }
    }
    if (node.type === 'VariableDeclarator' && /^is[A-Z]/.test(String((node['id'] as Syntax)['name']))) {
      const value = node['init'] as Syntax
      const body = value.type === 'ArrowFunctionExpression' ? (value['body'] as Syntax) : value
      if (body.type !== 'BlockStatement') for (const part of partsOf(body, '&&')) yield [part, 'true']
    }
    // (v) => (fine ? v : undefined), the checks of options
    const result = unwrapped(node.type === 'ReturnStatement' ? node['argument'] : node['body'])
    if (result?.type === 'ConditionalExpression' && (result['alternate'] as Syntax)['name'] === 'undefined')
      for (const part of partsOf(result['test'] as Syntax, '&&')) yield [part, 'true']
    if (node.type === 'ExpressionStatement' && look.test(text.slice(node.start, node.end)))
      yield [node['expression'] as Syntax, 'undefined']
  }
}

const isDeclaration = ({ type }: Syntax): boolean => type === 'VariableDeclaration'

export function guardsOf(file: string): Guard[] {
  const text = readFileSync(file, 'utf8')
  const found = [...conditions(parseAst(text, { lang: 'ts' }), text)].map(([{ start, end }, without]) => {
    const line = text.slice(0, start).split('\n').length
    return { file, line, text: text.slice(start, end).replaceAll(/\s+/g, ' '), start, end, without }
  })
  return [...new Map(found.map((guard) => [`${guard.start} ${guard.end}`, guard])).values()]
}
