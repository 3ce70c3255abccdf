/** Parts of a network by the names of its layers: what leads to one, what is frozen. */
import { didYouMean, FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { inOrder } from '../base/order.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Network } from './network.ts'
import { weightName } from './network.ts'

/** The last call of a layer or input by its name. */
export function callOf({ name: where, calls, layers, inputs }: Network, name: string): number {
  const found = calls.findLastIndex(({ of }) => (of.kind === 'layer' ? of.layer.name : of.name) === name)
  if (found >= 0) return found
  throw unknownLayer(where, name, [...Object.keys(inputs), ...layers.map((layer) => layer.name)])
}

/** The part of a network that leads to these layers; its layers keep their names. */
export function partOf(network: Network, ends: readonly string[]): Network {
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

/** The same network with these layers frozen, or not frozen any more; `*` in a name stands for any text. */
export function withFrozen(network: Network, names: readonly string[], isFrozen: boolean): Network {
  const layers = network.layers.map(({ name }) => name)
  const frozen = new Set(network.frozen)
  for (const name of names) {
    if (typeof name !== 'string') {
      const expected = "names of layers, as 'conv2d' or 'block1_*'"
      throw new FoveaError('E_OPTION', { what: 'this names no layer', where: network.name, expected, got: show(name) })
    }
    const hits = layers.filter((layer) => matches(layer, name))
    if (hits.length === 0) throw unknownLayer(network.name, name, layers)
    for (const hit of hits) isFrozen ? frozen.add(hit) : frozen.delete(hit)
  }
  return { ...network, frozen }
}

const escaped = (text: string): string => text.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
const matches = (name: string, pattern: string): boolean =>
  new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`).test(name)

function unknownLayer(where: string, name: string, known: readonly string[]): FoveaError {
  const near = typeof name === 'string' ? didYouMean(name, known) : undefined
  const hint = near ?? `the layers are ${known.join(', ')}`
  return new FoveaError('E_MODEL', { what: `has no layer ${show(name)}`, where, hint })
}

interface Weighted {
  readonly network: Network
  weights(): Promise<Readonly<Record<string, Numbers>>>
}

/** Weights of the layers that a network has in common with another model, by their names here. */
export async function weightsInCommon(from: Weighted, network: Network): Promise<Record<string, Numbers>> {
  const values = await from.weights()
  const common = network.layers.flatMap(({ name, layer, weights }) => {
    const there = from.network.layers.find((other) => other.layer === layer)?.name
    return there === undefined
      ? []
      : Object.keys(weights).map((weight) => [weightName(name, weight), values[weightName(there, weight)]] as const)
  })
  if (common.length > 0) return Object.fromEntries(common)
  const hint = `wire it onto a layer of that model, as in dense({ units: 10 })(base.tensor('flatten'))`
  throw new FoveaError('E_MODEL', {
    what: "shares no layer with the model of 'weightsFrom'",
    where: network.name,
    hint,
  })
}
