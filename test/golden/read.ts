/** Reads the golden files: F64 stays F64, which the library's own reader rounds to float32. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface Golden<Case> {
  readonly cases: readonly Case[]
  /** A tensor's numbers by its name. */
  readonly get: (name: string) => Float64Array
  readonly shape: (name: string) => readonly number[]
}

const arrays = { F64: Float64Array, F32: Float32Array, I32: Int32Array } as const

interface Entry {
  readonly dtype: keyof typeof arrays
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

export function readGolden<Case>(topic: string): Golden<Case> {
  const bytes = readFileSync(fileURLToPath(new URL(`${topic}.safetensors`, import.meta.url)))
  const length = Number(bytes.readBigUInt64LE(0))
  const { __metadata__, ...entries } = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, Entry> & {
    __metadata__: { cases: string }
  }
  const find = (name: string): Entry => {
    const entry = entries[name]
    if (!entry) throw new Error(`${topic} has no tensor ${name}`)
    return entry
  }
  return {
    cases: JSON.parse(__metadata__.cases) as Case[],
    get: (name) => {
      const { dtype, data_offsets } = find(name)
      const part = bytes.subarray(8 + length + data_offsets[0], 8 + length + data_offsets[1])
      return Float64Array.from(new arrays[dtype](new Uint8Array(part).buffer))
    },
    shape: (name) => find(name).shape,
  }
}
