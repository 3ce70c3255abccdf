/** Deterministic inputs for graphs, one way to run them, and how results are compared. */
import assert from 'node:assert/strict'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import type { Goals } from '../../src/compile/goals.ts'
import type { CompileOptions } from '../../src/compile/program.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import type { DType, StoredSpec, TensorSpec } from '../../src/graph/dtype.ts'
import type { AnyOp, Attrs, Node, Sample, SampleInput } from '../../src/graph/node.ts'
import { constant, input, makeNode, nameOf, variable } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { domainOf, elementwiseOps, mul } from '../../src/ops/elementwise.ts'
import { kernelOps, otherOps } from '../../src/ops/index.ts'
import { sum } from '../../src/ops/reduction.ts'

/** The generator of test/golden/README.md. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Evenly spaced values of [low, high] in shuffled order: never two of them close, so that no maximum is a near-tie. */
export function ladder(
  count: number,
  seed: number,
  [low, high]: readonly [number, number] = [-2.7, 3.3],
): Float32Array {
  const draw = uniform(seed)
  const values = Float32Array.from({ length: count }, (_, i) => low + ((high - low) * (i + 0.5)) / count)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1))
    ;[values[i], values[j]] = [values[j], values[i]]
  }
  return values
}

/** Values for an input: a ladder of floats, or integers below a bound. */
export function valuesFor({ shape, dtype }: StoredSpec, seed: number, below = 256): Exclude<Numbers, Float64Array> {
  if (dtype === 'float32') return ladder(sizeOf(shape), seed)
  const draw = uniform(seed)
  const integer = () => Math.floor(draw() * below)
  const integers = Array.from({ length: sizeOf(shape) }, integer)
  return dtype === 'int32' ? Int32Array.from(integers) : Uint8Array.from(integers)
}

/** A number for any text, to seed with. */
export const seedOf = (text: string): number =>
  [...text].reduce((hash, c) => Math.imul(hash ^ c.charCodeAt(0), 16777619) >>> 0, 2166136261)

export interface Case {
  readonly title: string
  /** The row's name in the table of tolerances. */
  readonly opName: string
  readonly y: Node
  readonly inputs: readonly Node[]
  readonly values: Readonly<Record<string, Numbers>>
}

function sampleCase(op: AnyOp, { shapes, attrs }: Sample<unknown>, index: number): Case {
  const specs = shapes.map((x: SampleInput) => ('dtype' in x ? x : { shape: x, dtype: 'float32' as DType, below: 0 }))
  const title = `${op.opName} ${index}: ${specs.map(({ shape }) => `[${shape.join(', ')}]`).join(' ')}`
  const inputs = specs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
  const values = specs.map((spec, i) => [`x${i}`, valuesFor(spec, seedOf(`${title} ${i}`), spec.below)])
  const y = makeNode(op, inputs, attrs as Attrs)
  return { title, opName: op.opName, inputs, y, values: Object.fromEntries(values) }
}

/** A graph over inputs x0, x1, ... of these shapes and dtypes. */
export interface GraphRow {
  readonly name: string
  readonly specs: readonly TensorSpec[]
  readonly y: (x: readonly Node[]) => Node
}

export const floats = (...shapes: readonly Shape[]): TensorSpec[] =>
  shapes.map((shape) => ({ shape, dtype: 'float32' }))

/** A row with its inputs and their values; integers are below a bound. */
export function caseOf({ name, specs, y }: GraphRow, below?: number): Case {
  const inputs = specs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
  const values = specs.map((spec, i) => [`x${i}`, valuesFor(spec, seedOf(name) + i, below)])
  return { title: name, opName: name, inputs, y: y(inputs), values: Object.fromEntries(values) }
}

type ElementwiseName = keyof typeof elementwiseOps

/** Any elementwise op on inputs of these specs, from its domain; the second ladder is off the first: no near-ties. */
export function elementwiseCase(name: ElementwiseName, specs: readonly TensorSpec[]): Case {
  const op = elementwiseOps[name] as (...x: Node[]) => Node
  const [low, high] = domainOf(name)
  const title = `${name}: ${specs.map(({ shape, dtype }) => `${dtype} [${shape.join(', ')}]`).join(' ')}`
  const inputs = specs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
  const values = specs.map(({ shape, dtype }, i) => [
    `x${i}`,
    dtype === 'float32'
      ? ladder(sizeOf(shape), seedOf(`${title} ${i}`), [low, high - (i * (high - low)) / 17])
      : valuesFor({ shape, dtype }, seedOf(`${title} ${i}`), 4).map((x) => x + 1),
  ])
  return { title, opName: name, inputs, y: op(...inputs), values: Object.fromEntries(values) }
}

/** Every sample of every op, and every elementwise op. */
export const sampleCases: readonly Case[] = Object.values({ ...kernelOps, ...otherOps } as unknown as Record<
  string,
  AnyOp
>).flatMap((op) => op.row.samples.map((sample, i) => sampleCase(op, sample, i)))
export const elementwiseCases: readonly Case[] = (Object.keys(elementwiseOps) as ElementwiseName[]).map((name) => {
  const binary = elementwiseOps[name].length > 1
  return elementwiseCase(name, Array(binary ? 2 : 1).fill({ shape: [3, 7], dtype: 'float32' }))
})

/** A scalar that depends on every element of y, each by its own fixed weight. */
export function weighted(y: Node, seed = 7): Node {
  return sum(mul(y, constant(ladder(sizeOf(y.shape), seed, [-1, 1.5]), y.shape)))
}

/** Plans and runs a graph once over a state of its own. */
export async function evaluate(
  engine: Engine,
  goals: Partial<Goals>,
  values: Readonly<Record<string, Numbers>>,
  { variables = {}, ...options }: CompileOptions & { variables?: Readonly<Record<string, Numbers>> } = {},
): Promise<Record<string, Numbers>> {
  const state = new State(engine)
  for (const [target] of goals.updates ?? []) await state.add(nameOf(target), target, () => variables[nameOf(target)])
  const program = compile(state, goals, options)
  const results = await program.run(values)
  for (const name of state.names) results[`after ${name}`] = await state.read(name)
  program.close()
  state.close()
  return results
}

/** A program over a state that holds these values. */
export async function stateWith(engine: Engine, values: Readonly<Record<string, readonly number[]>>) {
  const state = new State(engine)
  for (const [name, list] of Object.entries(values)) {
    await state.add(name, { shape: [list.length], dtype: 'float32' }, () => Float32Array.from(list))
  }
  return state
}
export const vector = (name: string, count: number): Node => variable(name, [count])

/** A result against the truth: relative to its size as a whole, and element by element to the size of the elements. */
export function assertClose(got: Numbers, wanted: Numbers, tolerance: number, what: string): void {
  assert.equal(got.length, wanted.length, `${what}: length`)
  let squares = 0
  let finite = 0
  let off = 0
  for (let i = 0; i < wanted.length; i++) {
    if (!Number.isFinite(wanted[i])) continue
    squares += wanted[i] ** 2
    off += (got[i] - wanted[i]) ** 2
    finite++
  }
  const usual = Math.sqrt(squares / Math.max(finite, 1))
  assert.ok(Math.sqrt(off) <= tolerance * Math.sqrt(squares) + 1e-30, `${what}: off by ${Math.sqrt(off / squares)}`)
  for (let i = 0; i < wanted.length; i++) {
    const same = Object.is(got[i], wanted[i]) || got[i] === wanted[i]
    if (same || Math.abs(got[i] - wanted[i]) <= 4 * tolerance * (Math.abs(wanted[i]) + usual) + 1e-30) continue
    assert.fail(`${what}: element ${i} is ${got[i]}, not ${wanted[i]}`)
  }
}

/** The bytes of results, for comparison to the last bit. */
export const bytesOf = (results: Readonly<Record<string, Numbers>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(results).map(([name, x]) => [
      name,
      Buffer.from(x.buffer, x.byteOffset, x.byteLength).toString('base64'),
    ]),
  )
