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

/** Decides for nodes in topological `order`; `kept` are needed for themselves, not only by other nodes. */
export function fuse(order: readonly Node[], kept: ReadonlySet<Node>, limits: StepLimits): Fusion {
  const users = new Map<Node, Set<Node>>()
  for (const node of order) for (const x of node.inputs) users.set(x, (users.get(x) ?? new Set()).add(node))
  const drafts = new Map<Node, Draft>()
  const plans = new Map<Node, Plan>()
  const inside = new Set<Node>()
  const heads = new Set<Node>()
  const isOnlyFor = (x: Node, node: Node): boolean =>
    !kept.has(x) && users.get(x)?.size === 1 && users.get(x)?.has(node) === true

  /** A few loops that compute a short expression each for themselves are cheaper than one that writes it for both. */
  const isRecomputed = (x: Node, draft: Draft): boolean => {
    const readers = [...(users.get(x) ?? [])]
    const elementwise =
      readers.length <= 3 && readers.every((y) => kindOf(y) === 'elementwise' && sameShape(y.shape, x.shape))
    return elementwise && !kept.has(x) && draft.weight <= RECOMPUTED && !draft.inputs.some((y) => canTail(y, x, draft))
  }
  for (const node of order) {
    if (kindOf(node) !== 'elementwise') continue
    const draftOf = (x: Node): Draft | undefined => {
      const draft = sameShape(x.shape, node.shape) ? drafts.get(x) : undefined
      return draft && (isOnlyFor(x, node) || isRecomputed(x, draft)) ? draft : undefined
    }
    const draft = drafted(node, { draftOf, limits })
    for (const [i, x] of node.inputs.entries()) if (draft.isPutIn[i]) inside.add(x)
    drafts.set(node, draft)
    plans.set(node, planned(node, drafts))
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

/** What a node's expression will be made of; it is written once all is decided. */
interface Draft {
  /** What the expression reads, in the order of its arguments. */
  readonly inputs: readonly Node[]
  /** For each input of the node: is its expression put in? */
  readonly isPutIn: readonly boolean[]
  /** As `weightOf` the expression. */
  readonly weight: number
}

interface Inlining {
  /** The draft of an input, where it may be put in. */
  readonly draftOf: (x: Node) => Draft | undefined
  readonly limits: StepLimits
}

/** The expression of a node with its producers' put in, where `draftOf` gives one and the engine can take it. */
function drafted(node: Node, { draftOf, limits }: Inlining): Draft {
  const inputs = new Set<Node>()
  const own = expressionOf(node)
  const most = Math.min(longest, limits.parts)
  let weight = weightOf(own)
  const occurrences = occurrencesOf(own)
  const isPutIn = node.inputs.map((x, i) => {
    const draft = draftOf(x)
    const read = draft?.inputs ?? []
    // with one operand for each input that is still to come, and the result
    const operands = inputs.size + read.filter((y) => !inputs.has(y)).length + node.inputs.length - i
    const fits = draft && draft.weight * weightOf(own) <= most && operands <= limits.operands
    if (fits) weight += (draft.weight - 1) * (occurrences.get(i) ?? 0)
    for (const y of fits ? read : [x]) inputs.add(y)
    return fits === true
  })
  return { inputs: [...inputs], isPutIn, weight }
}

/** The plan of a single node; many are put in elsewhere, and never asked for their expression. */
function planned(node: Node, drafts: ReadonlyMap<Node, Draft>): Plan {
  let f: Scalar | undefined
  return {
    inputs: (drafts.get(node) as Draft).inputs,
    get f() {
      f ??= written(node, drafts)
      return f
    },
  }
}

/** How often each argument occurs in an expression that is written out. */
function occurrencesOf(expression: Scalar, counts = new Map<number, number>()): ReadonlyMap<number, number> {
  if (expression.kind === 'argument') counts.set(expression.index, (counts.get(expression.index) ?? 0) + 1)
  else if (expression.kind === 'apply') for (const x of expression.inputs) occurrencesOf(x, counts)
  return counts
}

/** The expression as its draft says. */
function written(node: Node, drafts: ReadonlyMap<Node, Draft>): Scalar {
  const places = new Map(drafts.get(node)?.inputs.map((x, i) => [x, argument(i)]))
  const made = new Map<Node, Scalar>()
  const write = (x: Node): Scalar => {
    const known = made.get(x)
    if (known) return known
    const { isPutIn } = drafts.get(x) as Draft
    const f = substitute(
      expressionOf(x),
      x.inputs.map((y, i) => (isPutIn[i] ? write(y) : (places.get(y) as Scalar))),
    )
    made.set(x, f)
    return f
  }
  return write(node)
}

/** May the plan of `node` be the tail of kernel x? Its other operands must be scalars, vectors along the last axis, or whole. */
function canTail(x: Node, node: Node, { inputs }: Pick<Plan, 'inputs'>): boolean {
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

/** May x be computed where its kernel reads it? Its operands must be floats that broadcast; in bfloat16 only wholes. */
function canHead(x: Node, plan: Plan | undefined, node: Node): boolean {
  if (kindOf(node) !== 'kernel' || !node.op.row.fuses?.head || !plan || plan.kernel) return false
  return plan.inputs.every((y) => y.dtype === 'float32' || fitsWhole(y, x))
}
