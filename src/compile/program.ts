/** A program: a graph planned for one engine over one state. Nothing is allocated once it is made. */

import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { choice, settle, show } from '../base/options.ts'
import { isFloat64 } from '../base/realm.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import { dtypeOf } from '../graph/dtype.ts'
import { shapeText, sizeOf } from '../graph/shape.ts'
import type { Executable, Numbers, Resident, StageTime } from './engine.ts'
import type { Goals } from './goals.ts'
import { wantGoals } from './goals.ts'
import type { MemoryPlan } from './memory.ts'
import { ownBytes, planMemory } from './memory.ts'
import { mixed, precisions } from './precision.ts'
import type { Schedule } from './schedule.ts'
import { schedule } from './schedule.ts'
import { simplify } from './simplify.ts'
import { State } from './state.ts'
import type { Step } from './step.ts'
import { bytesOf, printSteps, storesLow } from './step.ts'

/** About what a step and its graph take up in JavaScript: 2 to 6 KB were measured. */
const STEP_BYTES = 4096

export const compileOptions = {
  optimize: choice(['on', 'off'], {
    says: "'off' keeps every node as it was written, one step each: for comparison",
    default: 'on',
  }),
  precision: choice(precisions, {
    says: 'an engine without it computes in float32',
    default: 'float32',
  }),
}
export type CompileOptions = Options<typeof compileOptions>

/** Values by input name. A float32 input may be given in float64: the reference engine keeps it, others round. */
export type Inputs = Readonly<Record<string, Numbers>>

export class Program {
  /** Resolves when kernels are compiled and workers are up; `run` may be called before. */
  readonly ready: Promise<void>
  readonly steps: readonly Step[]
  readonly memory: MemoryPlan
  readonly inputs: Readonly<Record<string, TensorSpec>>
  readonly outputs: Readonly<Record<string, TensorSpec>>
  /** The state, where a run changes it. */
  readonly #changes: State | undefined
  readonly #executable: Executable
  readonly #residents: ReadonlyMap<string, Resident>
  #isClosed = false

  constructor(state: State, goals: Goals, { optimize = 'on', precision = 'float32' }: CompileOptions = {}) {
    const { engine } = state
    const settle = optimize === 'on' ? simplified : (same: Goals) => same
    const isMixed = precision === 'mixed_bfloat16' && engine.precisions.includes(precision)
    const settled = isMixed ? settle(mixed(settle(goals))) : settle(goals)
    const { memoryRules: rules, limits } = engine
    const plan = schedule(settled, { fusing: optimize, rules, limits })
    if (!engine.precisions.includes('mixed_bfloat16') && plan.steps.some(storesLow)) {
      throw new FoveaError('E_ENGINE', { what: 'the engine has no bfloat16', where: engine.name })
    }
    const buffersOf = (values: Schedule['inputs']) => Object.values(values).map((x) => x.buffer)
    const results = buffersOf(plan.outputs)
    const stages = engine.lower(plan.steps, new Set(results))
    this.memory = planMemory(stages, buffersOf(plan.inputs), results, engine.memoryRules)
    this.steps = plan.steps
    this.inputs = plan.inputs
    this.outputs = plan.outputs
    const kept = state.names.reduce((sum, name) => sum + bytesOf(state.resident(name).spec), 0)
    const own = ownBytes(stages)
    if (this.memory.peakBytes + own + kept > engine.memoryLimit) {
      throw new FoveaError('E_LIMIT', {
        what: 'the program needs more memory than the engine has',
        where: engine.name,
        expected: `at most ${engine.memoryLimit} bytes`,
        got: `${this.memory.peakBytes} for a run, ${own} for the program and ${kept} of state`,
        hint: 'use a smaller batch',
      })
    }
    this.#residents = new Map(
      Object.entries(plan.variables).map(([name, spec]) => [name, residentFor(state, name, spec)]),
    )
    this.#executable = engine.load(
      { stages, memory: this.memory, inputs: plan.inputs, outputs: plan.outputs },
      this.#residents,
    )
    this.#changes = goals.updates.length > 0 ? state : undefined
    this.ready = this.#executable.ready
    this.ready.catch(() => {}) // each run throws it
  }

  /**
   * Runs once. Runs are queued in the order of the calls, with the state's reads and writes in between. Inputs
   * are taken during the call: their arrays may be filled again at once.
   */
  async run(inputs: Inputs): Promise<Record<string, Numbers>> {
    const { closed } = this
    if (closed !== undefined) throw new FoveaError('E_CLOSED', { what: `${closed} was closed` })
    for (const [name, { shape, dtype }] of Object.entries(this.inputs)) {
      const given = inputs?.[name]
      const own = isFloat64(given) ? 'float32' : dtypeOf(given)
      const got = given && `${own ?? show(given)} with ${show(given.length)} values`
      if (given && own === dtype && given.length === sizeOf(shape)) continue
      throw new FoveaError('E_SHAPE', {
        what: `input '${name}' is wrong`,
        expected: `${dtype} ${shapeText(shape)}`,
        got: got ?? 'nothing',
      })
    }
    this.#changes?.changed()
    return this.#executable.run(inputs)
  }

  /** What was closed, so that it cannot be run any more: the program, or a tensor of the state that it reads or updates. */
  get closed(): string | undefined {
    return this.#isClosed ? 'the program' : [...this.#residents].find(([, x]) => x.isClosed)?.[0]
  }

  /** Bytes that it holds until it is closed, beside the arena, which the programs of an engine may share. */
  get heldBytes(): number {
    return this.#executable.bytes + this.steps.length * STEP_BYTES
  }

  /** What each stage took in all runs since the first such call. */
  async profile(): Promise<readonly StageTime[]> {
    return this.#executable.profile()
  }

  /** The steps as text, with the memory they need. */
  print(): string {
    const { peakBytes, liveBytes } = this.memory
    return `${printSteps(this.steps)}\narena ${peakBytes} bytes, at least ${liveBytes} are alive at once`
  }

  close(): void {
    if (!this.#isClosed) this.#executable.close()
    this.#isClosed = true
  }
}

/** The tensor of the state that a variable reads. */
function residentFor(state: State, name: string, wanted: TensorSpec): Resident {
  const resident = state.resident(name)
  const [expected, got] = [wanted, resident.spec].map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`)
  if (got === expected) return resident
  throw new FoveaError('E_SHAPE', { what: 'is another kind of tensor in the state', where: name, expected, got })
}

function simplified({ outputs, updates, float32 = [] }: Goals): Goals {
  const names = Object.keys(outputs)
  const nodes = simplify([...Object.values(outputs), ...updates.flat(), ...float32])
  return {
    outputs: Object.fromEntries(names.map((name, i) => [name, nodes[i]])),
    updates: updates.map((_, i) => [nodes[names.length + 2 * i], nodes[names.length + 2 * i + 1]]),
    float32: nodes.slice(names.length + 2 * updates.length),
  }
}

/** Plans `goals` for the engine of `state`. Shapes, steps and peak bytes are known at once. */
export function compile(state: State, goals: Partial<Goals>, options: CompileOptions = {}): Program {
  if (!(state instanceof State)) {
    const hint = 'as in new State(openEngine())'
    throw new FoveaError('E_OPTION', { what: 'needs a state', where: 'compile', got: show(state), hint })
  }
  const whole = { outputs: {}, updates: [], ...wantGoals(goals) }
  return new Program(state, whole, settle(compileOptions, options, 'compile') as CompileOptions)
}
