/** The suite that every engine must pass, of its parts: ops forward and backward, sizes, fused forms, bfloat16, state, lifetime. */
import { after, suite } from 'node:test'
import type { Engine } from '../../src/compile/engine.ts'
import { besideReference } from '../support/compared.ts'
import { chanceSuite } from './chance.case.ts'
import { fusedSuite } from './fused.case.ts'
import { largeSuite } from './large.case.ts'
import { mixedSuite } from './mixed.case.ts'
import { operationsSuite } from './operations.case.ts'
import { refusedSuite } from './refused.case.ts'
import { specialValuesSuite } from './special-values.case.ts'
import { stateSuite } from './state.case.ts'
import { wideSuite } from './wide.case.ts'

export interface EngineCase {
  readonly open: () => Engine
  /** Relative errors that are allowed, by op; `other` for the rest. */
  readonly tolerances: Readonly<Record<string, number>> & { readonly other: number }
  /** What the engine lacks, by op, each with its reason. */
  readonly holes?: Readonly<Record<string, string>>
  /** Why it cannot be tested here. */
  readonly skip?: string | false
}

export function engineSuite(name: string, { open, tolerances, holes = {}, skip = false }: EngineCase): void {
  suite(`engine ${name}`, { skip }, () => {
    const engine = open()
    after(() => engine.close())
    const compared = besideReference(engine, (opName) => tolerances[opName] ?? tolerances.other)
    operationsSuite(compared, holes)
    largeSuite(compared)
    wideSuite(compared)
    chanceSuite(compared)
    mixedSuite(compared)
    fusedSuite(compared)
    specialValuesSuite(compared)
    stateSuite(engine)
    refusedSuite(engine, open)
  })
}
