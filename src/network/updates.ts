/** What an optimizer makes of gradients: pairs of a variable and its next value, slots included. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { integer, settle, show, text } from '../base/options.ts'
import type { Goals } from '../compile/goals.ts'
import { State } from '../compile/state.ts'
import type { Node } from '../graph/node.ts'
import { input, inputOp, isA, isNode, nameOf, topological, variable, variableOp } from '../graph/node.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Optimizer, SettledOptimizer } from '../nn/optimizers.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import { checkGroups } from '../nn/parameter-groups.ts'
import type { Trained } from '../nn/step.ts'
import { nextState, slotName, stepRates, stepSlots } from '../nn/step.ts'
import { gradients } from '../ops/gradient.ts'

/** What the names of the inputs begin with that are the numbers of a step. */
const RATES = 'rate/'

/** For every weight its pair and those of its slots. Programs read the numbers of a step as inputs, `rate/...` by default. */
export function updatePairs(
  optimizer: SettledOptimizer,
  weights: readonly Omit<Trained, 'slots'>[],
  prefix = RATES,
): (readonly [Node, Node])[][] {
  const rateNames = Object.keys(stepRates(optimizer, { step: 0, total: 1 }))
  const rates = Object.fromEntries(rateNames.map((rate) => [rate, input(prefix + rate, [])]))
  const trained = weights.map((one) => {
    const slots = Object.keys(stepSlots(optimizer)).map((slot) => [
      slot,
      variable(slotName(optimizer.type, slot, one.name), one.weight.shape),
    ])
    return { ...one, slots: Object.fromEntries(slots) as Record<string, Node> }
  })
  return nextState(optimizer, trained, rates).map(({ weight, slots }, i) => [
    [trained[i].weight, weight],
    ...Object.entries(trained[i].slots).map(([slot, old]) => [old, slots[slot]] as const),
  ])
}

const updateOptions = {
  steps: integer({ says: 'steps of the whole training, with which schedules end', min: 1, optional: true }),
  name: text({ says: 'tells apart several optimizers in one program', without: '/', filled: true, optional: true }),
}

/** A step of an optimizer over variables of your own. */
export interface Updates {
  /** For `compile`: every variable and every slot with its next value. */
  readonly updates: Goals['updates']
  /** Adds the optimizer's slots to the state that has the variables. Slots that are there keep their values. */
  begin(state: State): Promise<void>
  /** What `run` is given for step 0, 1, ...: by default with the optimizer's own learning rate. */
  rates(step: number, learningRate?: number): Record<string, Float32Array>
}

/**
 * One step of `optimizer` that makes `loss` (a scalar) smaller by `variables`. Names of variables are those of a state; patterns of
 * `groups` go by them.
 */
export function updates(
  optimizer: Optimizer,
  loss: Node,
  variables: readonly Node[],
  options: Options<typeof updateOptions> = {},
): Updates {
  const settled = settleOptimizer(optimizer)
  const { steps, name } = settle(updateOptions, options, 'updates')
  wantVariables(variables)
  if (typeof settled.options.learningRate !== 'number' && steps === undefined) {
    const hint = "as in updates('adam', loss, variables, { steps: 1000 })"
    throw new FoveaError('E_OPTION', { what: "a schedule needs 'steps'", where: 'updates', hint })
  }
  const names = variables.map(nameOf)
  checkGroups(settled.options, names)
  const slopes = gradients(loss, variables)
  const weights = variables.map((weight, i) => ({ name: names[i], weight, gradient: slopes[i] }))
  const prefix = name === undefined ? RATES : `${RATES}${name}/`
  const pairs = updatePairs(settled, weights, prefix).flat()
  const read = new Set(topological(pairs.map(([, next]) => next)).flatMap((x) => (isA(x, inputOp) ? [nameOf(x)] : [])))
  return {
    updates: pairs,
    begin: (state) => addSlots(state, settled, variables),
    rates: (step, learningRate) => {
      if (!(Number.isSafeInteger(step) && step >= 0))
        throw new FoveaError('E_OPTION', {
          what: "'step' is wrong",
          where: 'rates',
          expected: '0, 1, ...',
          got: show(step),
        })
      const rates = stepRates(settled, { step, total: steps ?? 1, learningRate })
      const own = Object.entries(rates).map(([rate, value]) => [prefix + rate, Float32Array.of(value)] as const)
      return Object.fromEntries(own.filter(([rate]) => read.has(rate)))
    },
  }
}

function wantVariables(variables: unknown): asserts variables is readonly Node[] {
  const stray = Array.isArray(variables) ? variables.find((x) => !isNode(x) || !isA(x, variableOp)) : variables
  const isRight = Array.isArray(variables) && variables.length > 0 && !variables.includes(undefined)
  if (isRight && stray === undefined) return
  const expected = "variables, as variable('W', [784, 10]) gives"
  throw new FoveaError('E_GRAPH', {
    what: 'needs variables',
    where: 'updates',
    expected,
    got: show(stray ?? variables),
  })
}

async function addSlots(state: State, optimizer: SettledOptimizer, variables: readonly Node[]): Promise<void> {
  if (!(state instanceof State))
    throw new FoveaError('E_OPTION', { what: 'needs a state', where: 'begin', expected: 'a State', got: show(state) })
  for (const weight of variables) {
    for (const [slot, value] of Object.entries(stepSlots(optimizer))) {
      const first = value === 'weight' ? await state.read(nameOf(weight)) : undefined
      const values = () => first ?? new Float32Array(sizeOf(weight.shape)).fill(Number(value))
      await state.add(slotName(optimizer.type, slot, nameOf(weight)), { shape: weight.shape, dtype: 'float32' }, values)
    }
  }
}
