/** What a program is made from. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isListOf, isPlain } from '../base/realm.ts'
import type { Node } from '../graph/node.ts'
import { isA, isNode, nameOf, variableOp, wantName } from '../graph/node.ts'
import { shapeText } from '../graph/shape.ts'

/** Named results, and variables with the nodes that become their next values. Every update sees the old values. */
export interface Goals {
  readonly outputs: Readonly<Record<string, Node>>
  readonly updates: readonly (readonly [variable: Node, next: Node])[]
  /** Values that mixed precision leaves float32 though they are between two products: logits. */
  readonly float32?: readonly Node[]
}

/** Throws E_GRAPH unless these are goals: outputs by name, updates in pairs. */
export function wantGoals(goals: Partial<Goals>): Partial<Goals> {
  const { outputs = {}, updates = [], float32 = [] } = (goals ?? {}) as Partial<Goals>
  const isPair = (pair: unknown): boolean => isListOf(pair, isNode) && pair.length === 2
  const isRight =
    [goals, outputs].every(isPlain) &&
    !('outputs' in goals && goals.outputs === undefined) &&
    Object.values(outputs).every(isNode) &&
    [updates, float32].every(Array.isArray) &&
    updates.every(isPair) &&
    float32.every(isNode)
  if (isRight) {
    for (const name of Object.keys(outputs)) wantName(name, 'compile')
    return goals
  }
  const expected = '{ outputs: { name: node }, updates: [[variable, next]] }'
  throw new FoveaError('E_GRAPH', { what: 'these are not goals', where: 'compile', expected, got: show(goals) })
}

/** The variables that updates name: each once, and of the same shape and dtype as its next value. */
export function checkUpdates(updates: Goals['updates']): void {
  const seen = new Set<string>()
  for (const [target, next] of updates) {
    if (!isA(target, variableOp))
      throw new FoveaError('E_GRAPH', { what: 'only a variable can be updated', got: target.op.opName })
    const where = nameOf(target)
    if (seen.has(where)) throw new FoveaError('E_GRAPH', { what: 'is updated twice', where })
    seen.add(where)
    const [expected, got] = [target, next].map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`)
    if (got !== expected)
      throw new FoveaError('E_SHAPE', { what: 'is updated by another kind of tensor', where, expected, got })
  }
}
