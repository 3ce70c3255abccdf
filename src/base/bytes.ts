import { FoveaError } from './errors.ts'

/** Reads a binary file that nobody vouches for: every read is checked first, every error names the file and the byte. */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly file: string
  offset = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes
    this.file = file
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.bytes.length - this.offset
  }

  /** An E_FILE error at `offset` (default: where the reader is). */
  error(
    what: string,
    facts: { expected?: string; got?: string; hint?: string } = {},
    offset = this.offset,
  ): FoveaError {
    return new FoveaError('E_FILE', { what, where: `${this.file} at byte ${offset}`, ...facts })
  }

  /** Throws unless `count` more bytes are there. */
  need(count: number, what: string): void {
    if (!(count >= 0 && count <= this.remaining)) {
      throw this.error(`the file ends within ${what}`, { expected: `${count} bytes`, got: `${this.remaining}` })
    }
  }

  u8(what: string): number {
    this.need(1, what)
    return this.bytes[this.offset++]
  }

  u32be(what: string): number {
    this.need(4, what)
    this.offset += 4
    return this.#view.getUint32(this.offset - 4, false)
  }

  /** An unsigned 64-bit little-endian integer; above 2^53 it is refused. */
  u64le(what: string): number {
    this.need(8, what)
    const value = this.#view.getBigUint64(this.offset, true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw this.error(`${what} is beyond any file`, { got: `${value}`, hint: 'is it really a file of this kind?' })
    this.offset += 8
    return Number(value)
  }

  /** A view of the next `count` bytes; nothing is copied. */
  take(count: number, what: string): Uint8Array {
    this.need(count, what)
    this.offset += count
    return this.bytes.subarray(this.offset - count, this.offset)
  }

  /** The next `count` bytes as UTF-8, refused where they are none. */
  text(count: number, what: string): string {
    const start = this.offset
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(count, what))
    } catch (error) {
      if (error instanceof FoveaError) throw error
      throw this.error(`${what} is not UTF-8`, {}, start)
    }
  }

  /** Throws when bytes are left over. */
  end(): void {
    if (this.remaining > 0)
      throw this.error('bytes are left over', { expected: 'the end', got: `${this.remaining} more` })
  }
}
