/** What may happen to bytes: flips, cuts, insertions, repetitions, swaps, and numbers at the ends of their range. */
import fc from 'fast-check'

/** Places are counted modulo the length, so that any number is one. */
interface Change {
  readonly kind: keyof typeof changes
  readonly at: number
  readonly other: number
  readonly value: number
}

const extremes = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 40n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
]

/** Where something lies and how long it is: at most 64 bytes from a place. */
function region(bytes: Uint8Array, at: number, length: number): [start: number, end: number] {
  const start = bytes.length === 0 ? 0 : at % bytes.length
  return [start, Math.min(bytes.length, start + 1 + (length % 64))]
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

const changes = {
  flip: (bytes, { at, value }) => {
    const [start] = region(bytes, at, 0)
    return bytes.map((byte, i) => (i === start ? byte ^ (1 << (value % 8)) : byte))
  },
  set: (bytes, { at, value }) => {
    const [start] = region(bytes, at, 0)
    return bytes.map((byte, i) => (i === start ? value % 256 : byte))
  },
  insert: (bytes, { at, value, other }) => {
    const [start, end] = region(bytes, at, other)
    return joined(bytes.subarray(0, start), new Uint8Array(end - start).fill(value), bytes.subarray(start))
  },
  remove: (bytes, { at, other }) => {
    const [start, end] = region(bytes, at, other)
    return joined(bytes.subarray(0, start), bytes.subarray(end))
  },
  repeat: (bytes, { at, other }) => {
    const [start, end] = region(bytes, at, other)
    return joined(bytes.subarray(0, end), bytes.subarray(start))
  },
  truncate: (bytes, { at }) => bytes.slice(0, region(bytes, at, 0)[0]),
  append: (bytes, { value, other }) => joined(bytes, new Uint8Array(1 + (other % 64)).fill(value)),
  swap: (bytes, { at, other, value }) => {
    const [a, b] = [region(bytes, at, value), region(bytes, other, value)].sort(([x], [y]) => x - y)
    if (a[1] > b[0]) return bytes
    const [first, second] = [bytes.subarray(...a), bytes.subarray(...b)]
    return joined(bytes.subarray(0, a[0]), second, bytes.subarray(a[1], b[0]), first, bytes.subarray(b[1]))
  },
  /** Headers begin a file: half of these land in its first 16 bytes. */
  extreme: (bytes, { at, other, value }) => {
    const width = [1, 2, 4, 8][other % 4]
    const place = value % 2 === 0 ? at % 16 : at
    const start = bytes.length < width ? 0 : place % (bytes.length - width + 1)
    const number = Buffer.alloc(8)
    number.writeBigUInt64LE(extremes[value % extremes.length])
    const little = number.subarray(0, width)
    const changed = bytes.slice()
    changed.set((other % 8 < 4 ? little : little.reverse()).subarray(0, bytes.length), start)
    return changed
  },
} as const satisfies Record<string, (bytes: Uint8Array, change: Omit<Change, 'kind'>) => Uint8Array>

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom(...(Object.keys(changes) as Change['kind'][])),
  at: fc.nat(),
  other: fc.nat(),
  value: fc.nat(),
})

/** Files with one to four changes. */
export const damaged = (files: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(files, fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([file, list]) => list.reduce((bytes, one) => changes[one.kind](bytes, one), file))
