/** The transforms of one input, one after the other; those that move places are joined, so that a picture is interpolated once. */
import type { TensorSpec, TypedArray } from '../graph/dtype.ts'
import { zeros } from '../graph/dtype.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Reading } from './dataset.ts'
import { Draws } from './draws.ts'
import type { Filling } from './transforms/fill.ts'
import { identity, product } from './transforms/geometry.ts'
import type { Geometry, Prepared } from './transforms/transform.ts'
import { warpOf } from './transforms/warp.ts'

/** A transform at its place among all of its dataset. */
export type Placed<T extends Prepared = Prepared> = T & { readonly place: number }

/** One pass over the pixels, by one transform or by several that are joined. */
interface Pass {
  readonly spec: TensorSpec
  readonly places: readonly number[]
  /** Writes `into`; there is a Draws for each of the places, in training. */
  readonly apply: (from: TypedArray, into: TypedArray, draws: readonly Draws[] | undefined) => void
}

export function passesOf(chain: readonly Placed[]): Pass[] {
  const passes: Pass[] = []
  for (let begin = 0, end = 1; begin < chain.length; begin = end++) {
    const first = chain[begin]
    if (!('matrix' in first)) {
      const { spec, place, apply } = first
      passes.push({ spec, places: [place], apply: (from, into, draws) => apply(from, into, draws?.[0]) })
      continue
    }
    const group: Placed<Geometry>[] = [first]
    for (; end < chain.length; end++) {
      const next = chain[end]
      if (!('matrix' in next) || !agree([...group, next])) break
      group.push(next)
    }
    passes.push(joined(group))
  }
  return passes
}

/** Do all of them fill the same way, those that fill at all? */
function agree(group: readonly Geometry[]): boolean {
  const fillings = group.flatMap(({ filling }) => (filling ? [filling] : []))
  const same = (a: Filling, b: Filling): boolean =>
    a.interpolation === b.interpolation && a.fillMode === b.fillMode && a.fillValue === b.fillValue
  return fillings.every((filling) => same(filling, fillings[0]))
}

function joined(group: readonly Placed<Geometry>[]): Pass {
  const [{ spec }] = group
  const filling = group.find((one) => one.filling)?.filling
  const warp = warpOf(spec, filling ?? { interpolation: 'nearest', fillMode: 'nearest', fillValue: 0 })
  return {
    spec,
    places: group.map(({ place }) => place),
    apply(from, into, draws) {
      if (!draws) return into.set(from)
      warp(from, into, group.map(({ matrix }, i) => matrix(draws[i])).reduce(product, identity))
    },
  }
}

/** Sample by sample through all passes. */
export function runPasses(
  passes: readonly Pass[],
  { from, into, indices }: { from: TypedArray; into: TypedArray; indices: ArrayLike<number> },
  { mode, epoch, seed }: Reading,
): void {
  const last = passes.length - 1
  const drawn = passes.map(({ places }) =>
    mode === 'train' ? places.map((place) => new Draws(seed, place)) : undefined,
  )
  const between = passes.slice(0, last).map(({ spec }) => zeros(spec.dtype, sizeOf(spec.shape)))
  const [read, written] = [from.length / indices.length, sizeOf(passes[last].spec.shape)]
  for (let i = 0; i < indices.length; i++) {
    let sample = from.subarray(i * read, (i + 1) * read)
    for (const [k, { apply }] of passes.entries()) {
      const result = k === last ? into.subarray(i * written, (i + 1) * written) : between[k]
      for (const draws of drawn[k] ?? []) draws.of(indices[i], epoch)
      apply(sample, result, drawn[k])
      sample = result
    }
  }
}
