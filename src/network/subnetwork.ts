/** Parts of a network by the names of its layers: what leads to one, what is frozen. */
import { didYouMean, FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { inOrder } from '../base/order.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Layer } from '../nn/layer.ts'
import type { NamedLayer, Network } from './network.ts'
import { checkEnds, frozenNow, weightName } from './network.ts'

/** The last call of a layer or input by its name. */
export function callOf({ name: where, calls, layers, inputs }: Network, name: string): number {
  const found = calls.findLastIndex(({ of }) => (of.kind === 'layer' ? of.layer.name : of.name) === name)
  if (found >= 0) return found
  throw unknownLayer(where, name, [...Object.keys(inputs), ...layers.map((layer) => layer.name)])
}

/** The part of a network that leads to these layers; its layers keep their names. */
export function partOf(network: Network, ends: readonly string[]): Network {
  if (ends.length === 0) {
    const hint = "name a layer at least, as in features('flatten')"
    throw new FoveaError('E_MODEL', { what: 'features of no layer', where: network.name, hint })
  }
  checkEnds(ends)
  const wanted = ends.map((name) => [name, callOf(network, name)] as const)
  const { calls } = network
  const kept = inOrder(
    wanted.map(([, i]) => calls[i]),
    ({ inputs }) => inputs.map((i) => calls[i]),
  ).toSorted((a, b) => calls.indexOf(a) - calls.indexOf(b))
  const places = new Map(kept.map((call, i) => [call, i]))
  const place = (i: number): number => places.get(calls[i]) as number
  const inputs = kept.flatMap(({ of, shape }) => (of.kind === 'input' ? [[of.name, shape] as const] : []))
  return {
    name: network.name,
    layers: network.layers.filter((layer) => kept.some(({ of }) => of.kind === 'layer' && of.layer === layer)),
    calls: kept.map((call) => ({ ...call, inputs: call.inputs.map(place) })),
    inputs: Object.fromEntries(inputs),
    outputs: Object.fromEntries(wanted.map(([name, i]) => [name, place(i)])),
    frozen: network.frozen,
  }
}

/** Layers by name, which must be there; `*` in a name matches any text. */
export function layersCalled(network: Network, names: readonly string[]): Layer[] {
  const known = network.layers.map(({ name }) => name)
  return names.flatMap((name) => {
    if (typeof name !== 'string') {
      const expected = "names of layers, as 'conv2d' or 'block1_*'"
      throw new FoveaError('E_OPTION', { what: 'this names no layer', where: network.name, expected, got: show(name) })
    }
    const hits = network.layers.filter((layer) => matches(layer.name, name))
    if (hits.length === 0) throw unknownLayer(network.name, name, known)
    return hits.map(({ layer }) => layer)
  })
}

/** The network with what is frozen now: layers are shared with other models, which may have changed it. */
export function asItIs(network: Network): Network {
  const frozen = frozenNow(network.layers)
  const isSame = frozen.size === network.frozen.size && [...frozen].every((name) => network.frozen.has(name))
  return isSame ? network : { ...network, frozen }
}

const escaped = (text: string): string => text.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
const matches = (name: string, pattern: string): boolean =>
  new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`).test(name)

function unknownLayer(where: string, name: string, known: readonly string[]): FoveaError {
  const near = typeof name === 'string' ? didYouMean(name, known) : undefined
  const hint = near ?? `the layers are ${known.join(', ')}`
  return new FoveaError('E_MODEL', { what: `has no layer ${show(name)}`, where, hint })
}

/** Those of `layers` that are in a network and have weights, by their names there. */
export function layersInCommon({ layers: known }: Network, layers: readonly Layer[], where: string): NamedLayer[] {
  const common = known.filter(({ layer, weights }) => layers.includes(layer) && Object.keys(weights).length > 0)
  if (common.length > 0) return common
  const hint = `wire it onto a layer of that model, as in dense({ units: 10 })(base.tensor('flatten'))`
  throw new FoveaError('E_MODEL', { what: "shares no layer with the model of 'weightsFrom'", where, hint })
}

/** Values of layers that have other names in another network, by the names that they have here. */
export function renamed({ layers }: Network, there: readonly NamedLayer[], values: Readonly<Record<string, Numbers>>) {
  const names = new Map(layers.map(({ name, layer }) => [layer, name]))
  const here = there.flatMap(({ name, layer, weights }) =>
    Object.keys(weights).map((weight): [string, Numbers] => [
      weightName(names.get(layer) as string, weight),
      values[weightName(name, weight)],
    ]),
  )
  return Object.fromEntries(here)
}

/** What is known of the inputs of another network, by the names of those here that are the same. */
export function renamedInputs<T>(
  { inputs, calls }: Network,
  there: Network,
  known: Readonly<Record<string, T>>,
): Record<string, T> {
  const same = Object.keys(inputs).flatMap((name): [string, T][] => {
    const entry = calls.find(({ of }) => of.kind === 'input' && of.name === name)
    const other = there.calls.find(({ tensor }) => tensor === entry?.tensor)
    if (other?.of.kind !== 'input' || !Object.hasOwn(known, other.of.name)) return []
    return [[name, known[other.of.name]]]
  })
  return Object.fromEntries(same)
}
