/** From nodes to steps in their order, and where results go. */
import { FoveaError } from '../base/errors.ts'
import type { DType, TypedArray } from '../graph/dtype.ts'
import { isSurfaceDType } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { inputOp, isA, nameOf, topological, variableOp } from '../graph/node.ts'
import { sameShape, shapeText } from '../graph/shape.ts'
import { fuse, kindOf, unfused } from './fuse.ts'
import type { Goals } from './goals.ts'
import { checkUpdates } from './goals.ts'
import { mergeLoops, withoutUnread } from './loops.ts'
import type { MemoryRules } from './memory.ts'
import type { KernelStep, Step, StepLimits, Value } from './step.ts'
import { arenaValue, bytesOf, unlimited } from './step.ts'
import { copy, settleUpdates } from './updates.ts'

export interface Schedule {
  readonly steps: readonly Step[]
  readonly inputs: Readonly<Record<string, Value<DType>>>
  readonly outputs: Readonly<Record<string, Value<DType>>>
  readonly variables: Readonly<Record<string, Value<DType>>>
}

export interface ScheduleOptions {
  /** 'off' keeps a step per node, for comparison. */
  readonly fusing?: 'on' | 'off'
  /** Of the engine that the steps are for. */
  readonly rules: Pick<MemoryRules, 'inPlace'>
  readonly limits?: StepLimits
}

/** Plans the steps of a program. */
export function schedule(
  { outputs, updates }: Goals,
  { fusing = 'on', rules, limits = unlimited }: ScheduleOptions,
): Schedule {
  checkUpdates(updates)
  const roots = [...Object.values(outputs), ...updates.map(([, next]) => next)]
  const order = topological([...roots, ...updates.map(([variable]) => variable)])
  const kept = new Set([...roots, ...updates.map(([variable]) => variable)])
  const { plans, absorbed } = fusing === 'on' ? fuse(order, kept, limits) : unfused(order)

  const values = new Map<Node, Value>()
  const inputs: Record<string, Value<DType>> = {}
  const variables: Record<string, Value<DType>> = {}
  const steps: Step[] = []
  const valueFor = (node: Node): Value => {
    const value = values.get(node)
    if (!value) throw new FoveaError('E_BUG', { what: `no value for ${node.op.opName} when it is needed` })
    return value
  }
  const kernelStep = (kernel: Node, output: Value, tail?: KernelStep['tail']): KernelStep => {
    const [x] = kernel.inputs
    const head = x && absorbed.has(x) ? plans.get(x) : undefined
    return {
      kind: 'kernel',
      op: kernel.op,
      attrs: kernel.attrs,
      inputs: (head?.inputs ?? kernel.inputs).map(valueFor),
      ...(head && { head: { f: head.f, spec: { shape: x.shape, dtype: 'float32' } } }),
      ...(tail && { tail }),
      outputs: [output],
    }
  }
  const computed = (node: Node, output: Value): Step => {
    const plan = plans.get(node)
    if (!plan) return kernelStep(node, output)
    const operands = plan.inputs.map(valueFor)
    if (plan.kernel) return kernelStep(plan.kernel, output, { f: plan.f, extras: operands })
    return { kind: 'elementwise', shape: node.shape, inputs: operands, expressions: [plan.f], outputs: [output] }
  }

  for (const node of order) {
    if (absorbed.has(node)) continue
    const kind = kindOf(node)
    if (kind === 'leaf') {
      const table = isA(node, variableOp) ? variables : isA(node, inputOp) ? inputs : undefined
      values.set(node, table ? shared(table, node) : leafValue(node))
    } else if (kind === 'view') {
      values.set(node, { shape: node.shape, dtype: node.dtype, buffer: valueFor(node.inputs[0]).buffer })
    } else {
      const output = arenaValue(node)
      steps.push(computed(node, output))
      values.set(node, output)
    }
  }

  const wanted = new Set(roots.map((node) => valueFor(node).buffer))
  const merged = fusing === 'on' ? withoutUnread(mergeLoops(steps, limits), wanted) : steps
  const copies: Step[] = []
  const given = new Set(Object.values(inputs).map(({ buffer }) => buffer))
  /** A result has a buffer of its own: inputs, variables and constants are copied. */
  const resultFor = (node: Node, name: string): Value<DType> => {
    const value = atSurface(valueFor(node), name)
    const own = value.buffer.home.in === 'arena' && !given.has(value.buffer)
    return own ? value : copy(value, arenaValue(value), copies)
  }
  const results = Object.fromEntries(Object.entries(outputs).map(([name, node]) => [name, resultFor(node, name)]))
  const targets = updates.map(([variable, next]) => ({ to: valueFor(variable), from: valueFor(next) }))
  return { ...settleUpdates([...merged, ...copies], { targets, outputs: results }, rules), inputs, variables }
}

/** What crosses the surface is never bfloat16. */
function atSurface(value: Value, where: string): Value<DType> {
  const { dtype } = value
  if (isSurfaceDType(dtype)) return { ...value, dtype }
  const hint = 'toFloat(x) first'
  throw new FoveaError('E_DTYPE', { what: `${dtype} stays inside programs`, where, expected: 'float32', hint })
}

/** The value of a named leaf; nodes of one name are one tensor. */
function shared(table: Record<string, Value<DType>>, node: Node): Value<DType> {
  const name = nameOf(node)
  const known = Object.hasOwn(table, name) ? table[name] : undefined
  if (known && (known.dtype !== node.dtype || !sameShape(known.shape, node.shape))) {
    const [expected, got] = [known, node].map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`)
    throw new FoveaError('E_GRAPH', {
      what: `two kinds of ${node.op.opName} have one name`,
      where: name,
      expected,
      got,
    })
  }
  table[name] = known ?? atSurface(leafValue(node), name)
  return table[name]
}

function leafValue(node: Node): Value {
  const { shape, dtype } = node
  if (isA(node, inputOp)) return arenaValue(node)
  if (isA(node, variableOp)) {
    return { shape, dtype, buffer: { bytes: bytesOf(node), home: { in: 'state', name: nameOf(node) } } }
  }
  const { value } = node.attrs as { value: number | TypedArray }
  const array = typeof value === 'number' ? Float64Array.of(value) : value
  return { shape, dtype, buffer: { bytes: bytesOf(node), home: { in: 'constant', value: array } } }
}
