import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { available } from '../../support/require.ts'
import { engineSuite } from '../engine.case.ts'

/** Relative errors in float32. */
engineSuite('native', {
  open: () => nativeEngine({ threads: 2, isPoisoned: true }),
  tolerances: { other: 1e-6 },
  skip: available('native').skip,
})
