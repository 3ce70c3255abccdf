/** Reading and writing runs of floats, four at a time, the last ones lane by lane. */
import type { StorageDType } from '../../graph/dtype.ts'
import type { Code } from './assembler.ts'
import type { FunctionWriter, Local } from './function.ts'
import { f32x4, f64x2, i32, i32x4, v128 } from './instructions.ts'

/** Bytes of a number, and of the four that a vector holds. */
export const FLOAT = 4
export const VECTOR = 16

/** Four neighbours of any dtype as floats; may read up to 12 bytes beyond. */
export function loadFloats(dtype: StorageDType, address: Code, offset = 0): Code {
  if (dtype === 'float32') return v128.load(address, offset)
  if (dtype === 'int32') return f32x4.fromInt(v128.load(address, offset))
  return f32x4.fromInt(i32x4.fromBytes(v128.load32Zero(address, offset)))
}

/** One number of any dtype in all four lanes. */
export function loadSplat(dtype: StorageDType, address: Code, offset = 0): Code {
  if (dtype === 'float32') return v128.loadSplat(address, offset)
  if (dtype === 'int32') return f32x4.fromInt(v128.loadSplat(address, offset))
  return f32x4.fromInt(i32x4.splat(i32.load8(address, offset)))
}

/** Stores the first `lanes` floats of a local, and not a byte more. */
export function storeFloats(address: Code, value: Local, lanes: number, offset = 0): Code {
  if (lanes >= 4) return v128.store(address, value.get, offset)
  const pair = lanes >= 2 ? v128.store64Lane(address, value.get, 0, offset) : []
  const single = lanes % 2 === 1 ? v128.store32Lane(address, value.get, lanes - 1, offset + (lanes - 1) * 4) : []
  return [pair, single]
}

/**
 * `count` floats in vectors: `body(offset, lanes)` with the byte offset from the start of the run. Short runs are
 * written out, long ones loop over `at`, which `body` gets as code to add to its addresses.
 */
export function overRun(
  f: FunctionWriter,
  count: number,
  body: (at: Code, offset: number, lanes: number) => Code,
): Code {
  const whole = Math.floor(count / 4)
  const rest = count % 4
  if (whole <= 4) {
    const parts = Array.from({ length: whole }, (_, i) => body(i32.const(0), i * 16, 4))
    return [parts, rest > 0 ? body(i32.const(0), whole * 16, rest) : []]
  }
  const at = f.local('i32')
  const loop = f.loop(at, i32.const(0), i32.const(whole * 16), 16, body(at.get, 0, 4))
  return [loop, rest > 0 ? body(i32.const(whole * 16), 0, rest) : []]
}

/** Sets a run of `count` floats to one value. */
export function fillRun(f: FunctionWriter, address: Code, count: number, value = 0): Code {
  const [set, filler] = f.let('v128', f32x4.const(value))
  return [set, overRun(f, count, (at, offset, lanes) => storeFloats(i32.add(address, at), filler, lanes, offset))]
}

/** Copies a run of `count` floats. */
export function copyRun(f: FunctionWriter, to: Code, from: Code, count: number): Code {
  const held = f.local('v128')
  return overRun(f, count, (at, offset, lanes) => [
    held.set(v128.load(i32.add(from, at), offset)),
    storeFloats(i32.add(to, at), held, lanes, offset),
  ])
}

/** Lanes from `count` on are replaced by `value`: what a reduction must not see beyond the end of a row. */
export function maskLanes(vector: Code, count: number, value: number): Code {
  if (count >= 4) return vector
  const mask = i32x4.lanes([0, 1, 2, 3].map((lane) => (lane < count ? -1 : 0)))
  return v128.select(mask, vector, f32x4.const(value))
}

/** Sums of floats kept in double, lane by lane: chains of any length lose nothing that a float32 shows. */
export class DoubleLanes {
  readonly low: Local
  readonly high: Local

  constructor(f: FunctionWriter) {
    this.low = f.local('v128')
    this.high = f.local('v128')
  }

  clear(): Code {
    return [this.low, this.high].map((sum) => sum.set(f64x2.const(0)))
  }

  add(floats: Local): Code {
    return [
      this.low.set(f64x2.add(this.low.get, f64x2.widen(floats.get))),
      this.high.set(f64x2.add(this.high.get, f64x2.widen(v128.shuffle(floats.get, floats.get, [2, 3, 2, 3])))),
    ]
  }

  /** As four floats. */
  floats(): Code {
    return v128.shuffle(f64x2.narrow(this.low.get), f64x2.narrow(this.high.get), [0, 1, 4, 5])
  }

  load(address: Code, offset: number): Code {
    return [this.low.set(v128.load(address, offset)), this.high.set(v128.load(address, offset + VECTOR))]
  }

  store(address: Code, offset: number): Code {
    return [v128.store(address, this.low.get, offset), v128.store(address, this.high.get, offset + VECTOR)]
  }
}

/** One sum of floats kept in double. */
export class DoubleSum {
  readonly #f: FunctionWriter
  readonly #sums: readonly DoubleLanes[]

  /** `count` sums side by side, since the one after the other would wait for it. */
  constructor(f: FunctionWriter, count = 1) {
    this.#f = f
    this.#sums = Array.from({ length: count }, () => new DoubleLanes(f))
  }

  clear(): Code {
    return this.#sums.map((sum) => sum.clear())
  }

  /** Adds four floats to one of the sums. */
  add(vector: Code, to = 0): Code {
    const [set, floats] = this.#f.let('v128', vector)
    return [set, this.#sums[to].add(floats)]
  }

  /** All of them together, as a float in every lane. */
  total(): Code {
    const both = this.#sums.flatMap(({ low, high }) => [low.get, high.get])
    const [set, pair] = this.#f.let('v128', inPairs(both, f64x2.add))
    const narrowed = f64x2.narrow(f64x2.add(pair.get, v128.shuffle(pair.get, pair.get, [2, 3, 0, 1])))
    const [setTotal, total] = this.#f.let('v128', narrowed)
    return [set, setTotal, v128.shuffle(total.get, total.get, [0, 0, 0, 0])]
  }
}

/** Vectors of floats combined lane by lane, `count` of them side by side. */
export class FloatLanes {
  readonly #f: FunctionWriter
  readonly #rule: { readonly start: number; readonly combine: (a: Code, b: Code) => Code }
  readonly #lanes: readonly Local[]

  constructor(f: FunctionWriter, rule: { start: number; combine: (a: Code, b: Code) => Code; count: number }) {
    this.#f = f
    this.#rule = rule
    this.#lanes = Array.from({ length: rule.count }, () => f.local('v128'))
  }

  clear(): Code {
    return this.#lanes.map((x) => x.set(f32x4.const(this.#rule.start)))
  }

  add(vector: Code, to = 0): Code {
    const lanes = this.#lanes[to]
    return lanes.set(this.#rule.combine(lanes.get, vector))
  }

  /** All of them combined, in every lane. */
  total(): Code {
    const { combine } = this.#rule
    const all = this.#lanes.map((x) => x.get)
    return acrossLanes(this.#f, inPairs(all, combine), combine)
  }
}

/** Neighbours combined, then their results, and so on. */
function inPairs(values: readonly Code[], combine: (a: Code, b: Code) => Code): Code {
  if (values.length === 1) return values[0]
  const pairs = values.flatMap((x, i) => (i % 2 > 0 ? [] : [i + 1 < values.length ? combine(x, values[i + 1]) : x]))
  return inPairs(pairs, combine)
}

/** Combines the four lanes by `combine` as ((0,2), (1,3)) and leaves the result in every lane. */
export function acrossLanes(f: FunctionWriter, vector: Code, combine: (a: Code, b: Code) => Code): Code {
  const [setV, v] = f.let('v128', vector)
  const [setH, h] = f.let('v128', combine(v.get, v128.shuffle(v.get, v.get, [2, 3, 0, 1])))
  return [setV, setH, combine(h.get, v128.shuffle(h.get, h.get, [1, 0, 3, 2]))]
}
