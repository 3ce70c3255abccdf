/**
 * What is computed together. Elementwise chains become one expression, an elementwise tail moves into the kernel before
 * it, a head into the kernel after it. Every question is to a property of an op's row, never to a name.
 */
import { inOrder } from '../base/order.ts'
import { isFloat } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { sameShape, sizeOf } from '../graph/shape.ts'
import type { ElementwiseAttrs } from '../ops/elementwise.ts'
import type { Scalar } from '../ops/scalar.ts'
import { argument, longest, substitute, weightOf } from '../ops/scalar.ts'
import type { StepLimits } from './step.ts'

/** An elementwise node as it will be computed: an expression over `inputs`, or the tail of `kernel` (argument 0). */
export interface Plan {
  readonly f: Scalar
  readonly inputs: readonly Node[]
  readonly kernel?: Node
}

export interface Fusion {
  /** For every elementwise node that is computed, and for the heads of kernels. */
  readonly plans: ReadonlyMap<Node, Plan>
  /** Nodes that are computed within another's step. */
  readonly absorbed: ReadonlySet<Node>
}

/** Parts of an expression that is computed twice rather than written once: an optimizer's rule has about thirty. */
const RECOMPUTED = 64

export const kindOf = (node: Node) => node.op.row.kind ?? 'kernel'
const expressionOf = (node: Node): Scalar => (node.attrs as unknown as ElementwiseAttrs).f

/** Nothing together: a step per node, for comparison. */
export function unfused(order: readonly Node[]): Fusion {
  const elementwise = order.filter((node) => kindOf(node) === 'elementwise')
  return {
    plans: new Map(elementwise.map((node) => [node, { f: expressionOf(node), inputs: node.inputs }])),
    absorbed: new Set(),
  }
}

/** Decides for nodes in topological `order`; `kept` are needed for themselves, whoever reads them. */
export function fuse(order: readonly Node[], kept: ReadonlySet<Node>, limits: StepLimits): Fusion {
  const users = new Map<Node, Set<Node>>()
  for (const node of order) for (const x of node.inputs) users.set(x, (users.get(x) ?? new Set()).add(node))
  const plans = new Map<Node, Plan>()
  const inside = new Set<Node>()
  const heads = new Set<Node>()
  const isOnlyFor = (x: Node, node: Node): boolean =>
    !kept.has(x) && users.get(x)?.size === 1 && users.get(x)?.has(node) === true

  /** A few loops that compute a short expression each for themselves are cheaper than one that writes it for both. */
  const isRecomputed = (x: Node, plan: Plan): boolean => {
    const readers = [...(users.get(x) ?? [])]
    const elementwise =
      readers.length <= 3 && readers.every((y) => kindOf(y) === 'elementwise' && sameShape(y.shape, x.shape))
    return (
      elementwise && !kept.has(x) && weightOf(plan.f) <= RECOMPUTED && !plan.inputs.some((y) => canTail(y, x, plan))
    )
  }
  for (const node of order) {
    if (kindOf(node) !== 'elementwise') continue
    const planOf = (x: Node): Plan | undefined => {
      const plan = sameShape(x.shape, node.shape) ? plans.get(x) : undefined
      return plan && (isOnlyFor(x, node) || isRecomputed(x, plan)) ? plan : undefined
    }
    plans.set(node, inlined(node, { planOf, absorbed: inside, limits }))
  }
  /** Does nothing but the step of `node` read x, directly or through what was inlined into it? */
  const isInside = (user: Node, node: Node): boolean =>
    user === node || (inside.has(user) && [...(users.get(user) ?? [])].every((next) => isInside(next, node)))
  for (const [node, plan] of plans) {
    if (inside.has(node)) continue
    const kernel = plan.inputs.findLast(
      (x) => canTail(x, node, plan) && !kept.has(x) && [...(users.get(x) ?? [])].every((user) => isInside(user, node)),
    )
    if (!kernel) continue
    const extras = plan.inputs.filter((x) => x !== kernel)
    const places = plan.inputs.map((x) => argument(x === kernel ? 0 : extras.indexOf(x) + 1))
    plans.set(node, { f: substitute(plan.f, places), inputs: extras, kernel })
  }
  for (const node of order) {
    const [x] = node.inputs
    if (x && canHead(x, plans.get(x), node) && isOnlyFor(x, node)) heads.add(x)
  }
  const operandsOf = (node: Node): readonly Node[] => {
    const plan = plans.get(node)
    if (plan?.kernel) return [...plan.inputs, ...operandsOf(plan.kernel)]
    const [x] = node.inputs
    return plan?.inputs ?? (x && heads.has(x) ? (plans.get(x)?.inputs ?? []) : node.inputs)
  }
  const needed = new Set(inOrder([...kept], operandsOf))
  return { plans, absorbed: new Set(order.filter((node) => !needed.has(node))) }
}

interface Inlining {
  readonly planOf: (x: Node) => Plan | undefined
  /** Whose plan was put in. */
  readonly absorbed: Set<Node>
  readonly limits: StepLimits
}

/** The expression of a node with its producers' put in, where `planOf` gives one and the engine can take it. */
function inlined(node: Node, { planOf, absorbed, limits }: Inlining): Plan {
  const inputs: Node[] = []
  const place = (x: Node): Scalar => {
    if (!inputs.includes(x)) inputs.push(x)
    return argument(inputs.indexOf(x))
  }
  const own = expressionOf(node)
  const most = Math.min(longest, limits.parts)
  /** With what it writes and one operand for each input that is still to come. */
  const fits = (plan: Plan, i: number): boolean =>
    new Set([...inputs, ...plan.inputs]).size + node.inputs.length - i <= limits.operands
  const replacements = node.inputs.map((x, i) => {
    const plan = planOf(x)
    if (!plan || weightOf(plan.f) * weightOf(own) > most || !fits(plan, i)) return place(x)
    absorbed.add(x)
    return substitute(plan.f, plan.inputs.map(place))
  })
  return { f: substitute(own, replacements), inputs }
}

/** May the plan of `node` be the tail of kernel x? Its other operands must be scalars, vectors along the last axis, or whole. */
function canTail(x: Node, node: Node, { inputs }: Plan): boolean {
  if (kindOf(x) !== 'kernel' || !x.op.row.fuses?.tail || !sameShape(x.shape, node.shape)) return false
  return inputs.every((extra) => extra === x || fitsWhole(extra, x))
}

/** Floats: one in all, one a column, or one an element; in bfloat16 only these. */
function fitsWhole({ shape, dtype }: Node, { shape: whole }: Node): boolean {
  if (sameShape(shape, whole)) return isFloat(dtype)
  const columns = whole[whole.length - 1]
  const isRow = sizeOf(shape) === columns && shape[shape.length - 1] === columns
  return dtype === 'float32' && (sizeOf(shape) === 1 || isRow)
}

/** May x be computed where its kernel reads it? Its operands must be scalars, vectors along the last axis, or whole. */
function canHead(x: Node, plan: Plan | undefined, node: Node): boolean {
  if (kindOf(node) !== 'kernel' || !node.op.row.fuses?.head || !plan || plan.kernel) return false
  return plan.inputs.every((y) => fitsWhole(y, x))
}
