import { referenceEngine } from '../../src/engines/reference/engine.ts'
import { engineSuite } from './engine.case.ts'

/** Planned and fused against the same loops as they are written: only the order of a few sums may differ. */
engineSuite('reference', { open: referenceEngine, tolerances: { other: 1e-13 } })
