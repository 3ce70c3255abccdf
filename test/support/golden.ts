/** Golden files as they were written: readSafetensors rounds float64 to float32, these few lines do not. */
import { readFileSync } from 'node:fs'
import type { Numbers } from '../../src/compile/engine.ts'

export interface Golden<C> {
  readonly cases: readonly C[]
  /** A tensor by its whole name, `<case>/<tensor>`. */
  readonly tensor: (name: string) => { readonly shape: readonly number[]; readonly data: Numbers }
  readonly has: (name: string) => boolean
}

const arrays = { F64: Float64Array, F32: Float32Array, I32: Int32Array } as const
type Entry = { dtype: keyof typeof arrays; shape: number[]; data_offsets: [number, number] }

export function golden<C>(topic: string): Golden<C> {
  const bytes = readFileSync(new URL(`../golden/${topic}.safetensors`, import.meta.url))
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, Entry>
  const metadata = header['__metadata__'] as unknown as { cases: string }
  return {
    cases: JSON.parse(metadata.cases) as C[],
    has: (name) => name in header,
    tensor: (name) => {
      const entry = header[name]
      if (!entry) throw new Error(`${topic} has no tensor ${name}`)
      const [from, to] = entry.data_offsets.map((offset) => bytes.byteOffset + 8 + length + offset)
      return { shape: entry.shape, data: new arrays[entry.dtype](bytes.buffer.slice(from, to) as ArrayBuffer) }
    },
  }
}
