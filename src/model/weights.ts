/** Weights as a user gives them, checked. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { holdsNumbers, isPlain } from '../base/realm.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Network } from '../network/network.ts'
import { networkWeights } from '../network/network.ts'

/** Copies of values by the names of weights. Throws E_MODEL for what the network does not have; `write` refuses what is no array. */
export function takeWeights(values: unknown, network: () => Network, where: string): [name: string, values: Numbers][] {
  if (!isPlain(values)) {
    const expected = "arrays by name, as in { 'dense/kernel': new Float32Array(...) }"
    throw new FoveaError('E_MODEL', { what: 'no weights', where, expected, got: show(values) })
  }
  const known = networkWeights(network())
  return Object.entries(values as Readonly<Record<string, Numbers>>).map(([name, numbers]) => {
    if (Object.hasOwn(known, name)) return [name, holdsNumbers(numbers) ? numbers.slice() : numbers]
    const expected = Object.keys(known).join(', ')
    throw new FoveaError('E_MODEL', { what: `has no weight '${name}'`, where, expected })
  })
}
