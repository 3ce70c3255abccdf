/**
 * From nodes to steps. Elementwise chains become one loop, an elementwise tail moves into the kernel before it, a head
 * into the reduction after it. Every question is to a property of an op's row, never to a name.
 */
import { FoveaError } from '../base/errors.ts'
import type { TypedArray } from '../graph/dtype.ts'
import type { AnyOp, Node } from '../graph/node.ts'
import { isA, nameOf, topological, variableOp } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { sameShape, shapeText, sizeOf } from '../graph/shape.ts'
import { broadcastTo } from '../ops/broadcasting.ts'
import type { ElementwiseAttrs } from '../ops/elementwise.ts'
import type { Scalar } from '../ops/scalar.ts'
import { argument, substitute } from '../ops/scalar.ts'
import type { Buffer, ElementwiseStep, KernelStep, Step, Value } from './step.ts'
import { arenaValue, bytesOf, readsOf } from './step.ts'

/** What a program is made from: named results, and variables with the nodes that become their next values. */
export interface Goals {
  readonly outputs: Readonly<Record<string, Node>>
  readonly updates: readonly (readonly [variable: Node, next: Node])[]
}

export interface Schedule {
  readonly steps: readonly Step[]
  readonly inputs: Readonly<Record<string, Value>>
  readonly outputs: Readonly<Record<string, Value>>
  readonly variables: Readonly<Record<string, Value>>
}

const kindOf = (node: Node) => node.op.row.kind ?? 'kernel'
const isElementwise = (node: Node) => kindOf(node) === 'elementwise'
const expressionOf = (node: Node): Scalar => (node.attrs as unknown as ElementwiseAttrs).f

/** A node as it will be scheduled: an expression over `inputs`, the kernel it hangs on, or a kernel with its head. */
interface Plan {
  f: Scalar
  inputs: Node[]
  kernel?: Node
}

/** Plans, fuses and orders the steps of a program. `fusing: 'off'` keeps a step per node, for comparison. */
export function schedule({ outputs, updates }: Goals, fusing: 'on' | 'off' = 'on'): Schedule {
  checkUpdates(updates)
  const roots = [...Object.values(outputs), ...updates.map(([, next]) => next)]
  const order = topological([...roots, ...updates.map(([variable]) => variable)])
  const fuse = fusing === 'on'

  const users = new Map<Node, Node[]>()
  for (const node of order) for (const x of node.inputs) users.set(x, [...(users.get(x) ?? []), node])
  const kept = new Set(roots)
  /** The only step that reads `node`, when there is one and nothing else needs it. */
  const soleUser = (node: Node): Node | undefined => {
    const all = new Set(users.get(node))
    return all.size === 1 && !kept.has(node) ? [...all][0] : undefined
  }

  // 1. Plan every elementwise node: single-use producers of as many elements are inlined, then a kernel before it is adopted.
  const plans = new Map<Node, Plan>()
  const absorbed = new Set<Node>()
  for (const node of order) {
    if (!isElementwise(node)) continue
    const plan = inlineProducers(
      node,
      plans,
      (x) => fuse && soleUser(x) === node && sizeOf(x.shape) === sizeOf(node.shape),
      absorbed,
    )
    plans.set(node, plan)
  }
  if (fuse) {
    for (const [node, plan] of plans) {
      if (absorbed.has(node)) continue
      const kernel = plan.inputs.findLast(
        (x) => canTail(x, node, plan) && soleUserOfPlan(x, node, plans, users, kept, absorbed),
      )
      if (!kernel) continue
      const index = plan.inputs.indexOf(kernel)
      const rest = plan.inputs.filter((x) => x !== kernel)
      const places = plan.inputs.map((x, i) => argument(i === index ? 0 : rest.indexOf(x) + 1))
      plans.set(node, { f: substitute(plan.f, places), inputs: rest, kernel })
      absorbed.add(kernel)
    }
  }

  // 2. Emit steps in order; values are made as they are needed.
  const values = new Map<Node, Value>()
  const inputs: Record<string, Value> = {}
  const variables: Record<string, Value> = {}
  const steps: Step[] = []
  const valueFor = (node: Node): Value => {
    const value = values.get(node)
    if (!value) throw new FoveaError('E_BUG', { what: `no value for ${node.op.opName} when it is needed` })
    return value
  }
  const emitKernel = (kernel: Node, output: Value, tail?: KernelStep['tail']): void => {
    const headed = fuse && kernel.op.row.fuses?.head ? kernel.inputs[0] : undefined
    const plan = headed && absorbed.has(headed) ? plans.get(headed) : undefined
    steps.push({
      kind: 'kernel',
      op: kernel.op,
      attrs: kernel.attrs,
      inputs: (plan?.inputs ?? kernel.inputs).map(valueFor),
      ...(plan && headed && { head: { f: plan.f, spec: { shape: headed.shape, dtype: headed.dtype } } }),
      ...(tail && { tail }),
      outputs: [output],
    })
  }
  if (fuse) for (const node of order) if (absorbsHead(node, plans, soleUser)) absorbed.add(node.inputs[0])

  for (const node of order) {
    if (absorbed.has(node)) continue
    const kind = kindOf(node)
    if (kind === 'leaf') {
      const value = leafValue(node)
      values.set(node, value)
      if (value.buffer.home.in === 'state') variables[nameOf(node)] = value
      else if (value.buffer.home.in === 'arena') inputs[nameOf(node)] = value
    } else if (kind === 'view') {
      values.set(node, { shape: node.shape, dtype: node.dtype, buffer: valueFor(node.inputs[0]).buffer })
    } else {
      const output = arenaValue(node)
      values.set(node, output)
      const plan = plans.get(node)
      if (!plan) emitKernel(node, output)
      else if (plan.kernel) emitKernel(plan.kernel, output, { f: plan.f, extras: plan.inputs.map(valueFor) })
      else {
        const step = { kind: 'elementwise', shape: node.shape, inputs: plan.inputs.map(valueFor) } as const
        steps.push({ ...step, expressions: [plan.f], outputs: [output] })
      }
    }
  }

  // 3. One loop for elementwise steps over the same elements; then results go where they belong.
  const wanted = new Set(roots.map((node) => valueFor(node).buffer))
  const merged = fuse ? withoutUnread(mergeLoops(steps), wanted) : steps
  const copied: Step[] = []
  const results = Object.fromEntries(
    Object.entries(outputs).map(([name, node]) => {
      const value = valueFor(node)
      return [
        name,
        value.buffer.home.in === 'arena' && !Object.values(inputs).some((x) => x.buffer === value.buffer)
          ? value
          : copy(value, arenaValue(value), copied),
      ]
    }),
  )
  const targets = updates.map(([variable, next]) => ({ to: valueFor(variable), from: valueFor(next) }))
  return { ...settleUpdates([...merged, ...copied], targets, results), inputs, variables }
}

function inlineProducers(
  node: Node,
  plans: Map<Node, Plan>,
  mayInline: (x: Node) => boolean,
  absorbed: Set<Node>,
): Plan {
  const inputs: Node[] = []
  const place = (x: Node): Scalar => {
    if (!inputs.includes(x)) inputs.push(x)
    return argument(inputs.indexOf(x))
  }
  const replacements = node.inputs.map((x) => {
    const plan = plans.get(x)
    if (!plan || !mayInline(x) || !sameShape(x.shape, node.shape)) return place(x)
    absorbed.add(x)
    return substitute(plan.f, plan.inputs.map(place))
  })
  return { f: substitute(expressionOf(node), replacements), inputs }
}

/** May `plan` be the tail of kernel x? Its other operands must be scalars, vectors along the last axis, or whole. */
function canTail(x: Node, node: Node, { inputs }: Plan): boolean {
  if (kindOf(x) !== 'kernel' || !x.op.row.fuses?.tail || !sameShape(x.shape, node.shape)) return false
  return inputs.every((extra) => extra === x || (extra.dtype === 'float32' && fitsTail(extra.shape, x.shape)))
}

/** The last sizes of a shape without leading ones. */
const stripped = (shape: Shape): Shape =>
  shape.slice(shape.findIndex((n) => n !== 1) < 0 ? shape.length : shape.findIndex((n) => n !== 1))

function fitsTail(extra: Shape, whole: Shape): boolean {
  const bare = stripped(extra)
  return bare.length === 0 || sameShape(extra, whole) || (bare.length === 1 && bare[0] === whole[whole.length - 1])
}

/** Does nothing but the step of `node` read x, directly or through what was inlined into it? */
function soleUserOfPlan(
  x: Node,
  node: Node,
  plans: Map<Node, Plan>,
  users: Map<Node, Node[]>,
  kept: Set<Node>,
  absorbed: Set<Node>,
): boolean {
  if (kept.has(x)) return false
  const inside = (user: Node): boolean =>
    user === node || (absorbed.has(user) && plans.has(user) && (users.get(user) ?? []).every(inside))
  return (users.get(x) ?? []).every(inside)
}

/** Is the elementwise input of `node` better computed where its kernel reads it? */
function absorbsHead(node: Node, plans: Map<Node, Plan>, soleUser: (x: Node) => Node | undefined): boolean {
  if (kindOf(node) !== 'kernel' || !node.op.row.fuses?.head) return false
  const [x] = node.inputs
  const plan = plans.get(x)
  if (!plan || plan.kernel || soleUser(x) !== node) return false
  return plan.inputs.every((y) => y.dtype === 'float32' && (sizeOf(y.shape) === 1 || sameShape(y.shape, x.shape)))
}

function leafValue(node: Node): Value {
  const { shape, dtype } = node
  if (node.op.opName === 'input') return arenaValue(node)
  if (node.op.opName === 'variable') {
    return { shape, dtype, buffer: { bytes: bytesOf(node), home: { in: 'state', name: nameOf(node) } } }
  }
  const { value } = node.attrs as { value: number | TypedArray }
  const array = typeof value === 'number' ? Float64Array.of(value) : value
  return { shape, dtype, buffer: { bytes: bytesOf(node), home: { in: 'constant', value: array } } }
}

const sameValue = (a: Value, b: Value): boolean =>
  a.buffer === b.buffer && a.dtype === b.dtype && sameShape(a.shape, b.shape)

/** Merges an elementwise step into an earlier one over the same elements when they share an operand or follow each other. */
function mergeLoops(steps: readonly Step[]): Step[] {
  const result: Step[] = []
  const born = new Map<Buffer, number>()
  for (const step of steps) {
    const host = step.kind === 'elementwise' ? findHost(step, result, born) : -1
    if (step.kind === 'elementwise' && host >= 0) {
      result[host] = joined(result[host] as ElementwiseStep, step)
      for (const { buffer } of step.outputs) born.set(buffer, host)
    } else {
      for (const { buffer } of step.outputs) born.set(buffer, result.length)
      result.push(step)
    }
  }
  return result
}

/** The place of the latest step that `step` may join: all it reads is there before, or made by that very loop. */
function findHost(step: ElementwiseStep, earlier: readonly Step[], born: Map<Buffer, number>): number {
  const ready = Math.max(-1, ...step.inputs.map((x) => born.get(x.buffer) ?? -1))
  for (let i = earlier.length - 1; i >= Math.max(ready, 0); i--) {
    const host = earlier[i]
    if (host.kind !== 'elementwise' || !sameShape(host.shape, step.shape)) continue
    if (host.inputs.length + step.inputs.length > 12) continue
    const madeHere = step.inputs.filter((x) => host.outputs.some((y) => y.buffer === x.buffer))
    const aligned = madeHere.every((x) => host.outputs.some((y) => sameValue(x, y)))
    const related =
      madeHere.length > 0 || step.inputs.some((x) => sizeOf(x.shape) > 1 && host.inputs.some((y) => sameValue(x, y)))
    if (aligned && related && (ready < i || madeHere.length > 0)) return i
  }
  return -1
}

function joined(host: ElementwiseStep, guest: ElementwiseStep): ElementwiseStep {
  const inputs = [...host.inputs]
  const places = guest.inputs.map((x) => {
    const made = host.outputs.findIndex((y) => sameValue(x, y))
    if (made >= 0) return host.expressions[made]
    let at = inputs.findIndex((y) => sameValue(x, y))
    if (at < 0) at = inputs.push(x) - 1
    return argument(at)
  })
  const memo = new Map<Scalar, Scalar>()
  const expressions = guest.expressions.map((f) => substitute(f, places, memo))
  return {
    ...host,
    inputs,
    expressions: [...host.expressions, ...expressions],
    outputs: [...host.outputs, ...guest.outputs],
  }
}

/** The same values in another buffer; an elementwise loop would turn integers into floats. */
/** Drops what a loop writes and nobody reads any more. */
function withoutUnread(steps: readonly Step[], wanted: ReadonlySet<Buffer>): Step[] {
  const read = new Set(steps.flatMap((step) => readsOf(step).map((x) => x.buffer)))
  return steps.map((step) => {
    if (step.kind === 'kernel') return step
    const kept = step.outputs.flatMap(({ buffer }, i) => (read.has(buffer) || wanted.has(buffer) ? [i] : []))
    if (kept.length === step.outputs.length) return step
    return { ...step, expressions: kept.map((i) => step.expressions[i]), outputs: kept.map((i) => step.outputs[i]) }
  })
}

function copy(from: Value, to: Value, steps: Step[]): Value {
  const { shape } = from
  if (from.dtype === 'float32')
    steps.push({ kind: 'elementwise', shape, inputs: [from], expressions: [argument(0)], outputs: [to] })
  else
    steps.push({ kind: 'kernel', op: broadcastTo as unknown as AnyOp, attrs: { shape }, inputs: [from], outputs: [to] })
  return to
}

/** The variables that updates name: each once, and of the same shape and dtype as its next value. */
function checkUpdates(updates: Goals['updates']): void {
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

/**
 * Lets new values of variables overwrite the old ones. A step writes straight into the variable when nobody reads the
 * old value later, and it reads it itself, if at all, element by element; otherwise a copy at the end does it.
 */
function settleUpdates(
  steps: readonly Step[],
  targets: readonly { to: Value; from: Value }[],
  outputs: Readonly<Record<string, Value>>,
): { steps: Step[]; outputs: Record<string, Value> } {
  const moved = new Map<Buffer, Buffer>()
  const early: Step[] = []
  const late: Step[] = []
  for (const { to, from } of targets) {
    if (from.buffer === to.buffer) continue
    const maker = steps.findIndex((step) => step.outputs.some((x) => x.buffer === from.buffer))
    const direct = maker >= 0 && !moved.has(from.buffer) && overwritable(steps, maker, to)
    if (direct) moved.set(from.buffer, to.buffer)
    else copy(maker >= 0 ? from : copy(from, arenaValue(from), early), to, late)
  }
  const settle = (value: Value): Value => {
    const buffer = moved.get(value.buffer)
    return buffer ? { ...value, buffer } : value
  }
  const settleStep = (step: Step): Step => {
    const inputs = step.inputs.map(settle)
    if (step.kind === 'elementwise') return { ...step, inputs, outputs: step.outputs.map(settle) }
    const tail = step.tail && { ...step.tail, extras: step.tail.extras.map(settle) }
    return { ...step, inputs, ...(tail && { tail }), outputs: [settle(step.outputs[0])] }
  }
  const settled = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, settle(value)]))
  return { steps: [...early, ...steps, ...late].map(settleStep), outputs: settled }
}

function overwritable(steps: readonly Step[], maker: number, to: Value): boolean {
  const readers = steps.flatMap((step, i) => (readsBuffer(step, to.buffer) ? [i] : []))
  if (readers.some((i) => i > maker)) return false
  const step = steps[maker]
  if (!readers.includes(maker)) return true
  return (
    step.kind === 'elementwise' && step.inputs.every((x) => x.buffer !== to.buffer || sameShape(x.shape, step.shape))
  )
}

const readsBuffer = (step: Step, buffer: Buffer): boolean => readsOf(step).some((x) => x.buffer === buffer)
