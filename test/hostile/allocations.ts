/** Counts the bytes of arrays that an action asks for, whether they are used or not. */

const counted = [
  ...[ArrayBuffer, Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array],
  ...[BigInt64Array, BigUint64Array],
] as const
type Counted = (typeof counted)[number]

const widthOf = (type: Counted): number => ('BYTES_PER_ELEMENT' in type ? type.BYTES_PER_ELEMENT : 1)

/** Runs a synchronous action with the global array types watched. A view of another's buffer costs nothing. */
export function allocated<T>(action: () => T): { result: T; asked: number } {
  let asked = 0
  const watched = counted.map((type) => [
    type.name,
    new Proxy(type, {
      construct(target, args: unknown[], newTarget) {
        const [first] = args
        const count = typeof first === 'number' ? first : ((first as ArrayLike<unknown> | undefined)?.length ?? 0)
        asked += count * widthOf(type)
        return Reflect.construct(target, args, newTarget)
      },
    }),
  ])
  const real = counted.map((type) => [type.name, type])
  try {
    Object.assign(globalThis, Object.fromEntries(watched))
    return { result: action(), asked }
  } finally {
    Object.assign(globalThis, Object.fromEntries(real))
  }
}
