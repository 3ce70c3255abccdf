/** IDX files of every type and rank. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { readIdx, writeIdx } from '../../src/files/idx.ts'
import type { Tensor } from '../../src/files/tensor.ts'
import { damaged } from './damage.ts'
import type { FileKind } from './kind.ts'
import { arrayTypes, elementsFrom, smallShape } from './tensors.ts'

/** The types by their byte: width, and how Node reads one element. */
const types: Readonly<
  Record<number, [width: number, dtype: Tensor['dtype'], read: (b: Buffer, at: number) => number]>
> = {
  8: [1, 'uint8', (b, at) => b.readUInt8(at)],
  9: [1, 'int32', (b, at) => b.readInt8(at)],
  11: [2, 'int32', (b, at) => b.readInt16BE(at)],
  12: [4, 'int32', (b, at) => b.readInt32BE(at)],
  13: [4, 'float32', (b, at) => b.readFloatBE(at)],
  14: [8, 'float32', (b, at) => Math.fround(b.readDoubleBE(at))],
}

const whole = fc
  .record({
    code: fc.constantFrom(...Object.keys(types).map(Number)),
    shape: smallShape(8),
    seed: fc.uint8Array({ minLength: 1, maxLength: 24 }),
  })
  .map(({ code, shape, seed }) => {
    const [width, dtype, read] = types[code]
    const elements = Buffer.from(elementsFrom(seed, shape, width))
    const sizes = Buffer.concat(shape.map((size) => Buffer.of(0, 0, 0, size)))
    const data = Array.from({ length: elements.length / width }, (_, i) => read(elements, i * width))
    const bytes = new Uint8Array(Buffer.concat([Buffer.of(0, 0, code, shape.length), sizes, elements]))
    return { bytes, holds: { shape, dtype, data } }
  })

export const idxFiles: FileKind<Tensor> = {
  read: readIdx,
  whole: whole.map(({ bytes, holds }) => ({
    bytes,
    check: ({ shape, dtype, data }) => assert.deepEqual({ shape, dtype, data: Array.from(data) }, holds),
  })),
  damaged: damaged(whole.map(({ bytes }) => bytes)),
  isConsistent: ({ shape, dtype, data }) => {
    assert.ok(data instanceof arrayTypes[dtype])
    assert.equal(
      data.length,
      shape.reduce((product, n) => product * n, 1),
    )
    if (data instanceof Uint8Array)
      assert.deepEqual(readIdx(writeIdx({ shape, data }), 'again'), { shape, dtype, data })
  },
  where: /^some\.file at byte \d+: /,
}
