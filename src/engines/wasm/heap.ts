/** Addresses in one growing memory: first fit over free ranges, neighbours joined again. Only numbers, no bytes. */
import { FoveaError } from '../../base/errors.ts'

interface Range {
  address: number
  bytes: number
}

export class Heap {
  /** One past the highest address in use: the memory must reach this far. */
  top: number
  readonly #limit: number
  readonly #alignment: number
  readonly #free: Range[] = []

  constructor({ start, limit, alignment }: Record<'start' | 'limit' | 'alignment', number>) {
    this.top = start
    this.#limit = limit
    this.#alignment = alignment
  }

  allocate(bytes: number): number {
    const wanted = this.#rounded(bytes)
    const index = this.#free.findIndex((range) => range.bytes >= wanted)
    if (index >= 0) {
      const range = this.#free[index]
      const { address } = range
      range.address += wanted
      range.bytes -= wanted
      if (range.bytes === 0) this.#free.splice(index, 1)
      return address
    }
    const last = this.#free.at(-1)
    const address = last && last.address + last.bytes === this.top ? last.address : this.top
    if (address + wanted > this.#limit) {
      throw new FoveaError('E_LIMIT', {
        what: 'the memory of the wasm engine is used up',
        expected: `at most ${this.#limit} bytes`,
        got: `${address + wanted}`,
        hint: 'use a smaller batch, or close models that are no longer needed',
      })
    }
    if (address < this.top) this.#free.pop()
    this.top = address + wanted
    return address
  }

  release(address: number, bytes: number): void {
    let at = this.#free.findIndex((range) => range.address > address)
    if (at < 0) at = this.#free.length
    this.#free.splice(at, 0, { address, bytes: this.#rounded(bytes) })
    for (const i of [at, at - 1]) {
      const [low, high] = [this.#free[i], this.#free[i + 1]]
      if (low && high && low.address + low.bytes === high.address) {
        low.bytes += high.bytes
        this.#free.splice(i + 1, 1)
      }
    }
  }

  #rounded(bytes: number): number {
    return Math.max(1, Math.ceil(bytes / this.#alignment)) * this.#alignment
  }
}
