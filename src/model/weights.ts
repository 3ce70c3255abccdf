/** Weights as a user gives them, checked. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { holdsNumbers, isPlain } from '../base/realm.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Network } from '../network/network.ts'
import { networkWeights, weightName } from '../network/network.ts'
import type { Placement } from '../network/placement.ts'
import { layersInCommon, renamed } from '../network/subnetwork.ts'
import type { Layer } from '../nn/layer.ts'

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

/** What these layers have learnt in a model up to this call, for a network that shares them. */
export function sharedWeights(
  { network, placement }: { readonly network: Network; readonly placement: Placement },
  layers: readonly Layer[],
  where: string,
): (network: () => Network) => Promise<Record<string, Numbers>> {
  const common = layersInCommon(network, layers, where)
  const values = placement.valuesNow(
    common.flatMap(({ name, weights }) => Object.keys(weights).map((weight) => weightName(name, weight))),
  )
  return async (own) => renamed(own(), common, await values())
}
