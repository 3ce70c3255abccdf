import { nativeEngine } from '../src/engines/native/engine.ts'
import { engineSuite } from './engine.case.ts'
import { available } from './require.ts'

/** Relative errors in float32. */
engineSuite('native', {
  open: () => nativeEngine({ threads: 2 }),
  tolerances: { other: 1e-6 },
  skip: available('native').skip,
})
