/** An engine beside the reference engine: the same graphs on both. */
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import type { Goals } from '../../src/compile/goals.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { gradients } from '../../src/ops/gradient.ts'
import type { Case } from './tensors.ts'
import { assertClose, evaluate, weighted } from './tensors.ts'

export interface Compared {
  readonly engine: Engine
  readonly truth: Engine
  /** The relative error that is allowed, by the op or by the name of a row. */
  readonly toleranceOf: (opName: string) => number
  /** Outputs of a graph, planned and fused, against those of the graph as it is written. */
  readonly agrees: (
    outputs: Readonly<Record<string, Node>>,
    values: Readonly<Record<string, Numbers>>,
    opName: string,
  ) => Promise<void>
  /** The same with the gradients. */
  readonly agreesBothWays: (row: Case) => Promise<void>
  /** What both plan with the same options, within a relative error. */
  readonly agreesWithin: (
    goals: Partial<Goals>,
    values: Readonly<Record<string, Numbers>>,
    given: { readonly tolerance: number; readonly options?: Parameters<typeof evaluate>[3] },
  ) => Promise<void>
}

export function besideReference(engine: Engine, toleranceOf: Compared['toleranceOf']): Compared {
  const truth = referenceEngine()
  const agrees: Compared['agrees'] = async (outputs, values, opName) => {
    const wanted = await evaluate(truth, { outputs }, values, { optimize: 'off' })
    const got = await evaluate(engine, { outputs }, values)
    for (const key of Object.keys(outputs)) assertClose(got[key], wanted[key], toleranceOf(opName), key)
  }
  const agreesBothWays = (row: Case) => agrees({ y: row.y, ...backward(row) }, row.values, row.opName)
  const agreesWithin: Compared['agreesWithin'] = async (goals, values, { tolerance, options }) => {
    const wanted = await evaluate(truth, goals, values, options)
    const got = await evaluate(engine, goals, values, options)
    for (const key of Object.keys(wanted)) assertClose(got[key], wanted[key], tolerance, key)
  }
  return { engine, truth, toleranceOf, agrees, agreesBothWays, agreesWithin }
}

/** The gradients of a weighted sum of `y`, where there are any. */
function backward({ y, inputs }: Pick<Case, 'y' | 'inputs'>): Record<string, Node> {
  const floats = inputs.filter((x) => x.dtype === 'float32')
  if (y.dtype !== 'float32' || floats.length === 0 || !y.op.row.gradient) return {}
  const flows = gradients(weighted(y), floats)
  return Object.fromEntries(flows.map((node, i) => [`d${floats[i].attrs.name}`, node]))
}
