/** The native engine: oneDNN behind the addon. */
import { FoveaError } from '../../base/errors.ts'
import type { Engine } from '../../compile/engine.ts'

export interface NativeOptions {
  /** Computing threads; all the machine has when absent. */
  threads?: number | undefined
}

export function nativeEngine(_options: NativeOptions = {}): Engine {
  throw new FoveaError('E_ENGINE', { what: 'not written yet', where: 'native' })
}
