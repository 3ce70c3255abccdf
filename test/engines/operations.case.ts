/** The part of the engine suite that is about single ops, forward and backward: every sample of every op, and broadcasting. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { DType, TensorSpec } from '../../src/graph/dtype.ts'
import { less, toFloat } from '../../src/ops/elementwise.ts'
import type { Compared } from '../support/compared.ts'
import { elementwiseCase, elementwiseCases, floats, sampleCases } from '../support/tensors.ts'

/** Shapes that broadcast, odd sizes, and operands that are not float32. */
const broadcasts: readonly (readonly TensorSpec[])[] = [
  floats([3, 1], [1, 4]),
  floats([5, 7, 3], [3]),
  floats([5, 7, 3], [7, 1]),
  floats([2, 3, 4], [3, 1]),
  floats([2, 1, 4], [1, 3, 1]),
  floats([1, 9], [9, 1]),
  floats([3, 5, 2], [3, 1, 2]),
  floats([], [7]),
  floats([6], []),
  floats([], []),
  floats([1], [1]),
  floats([4, 1], []),
  ...Array.from({ length: 9 }, (_, i) => floats([i + 1], [i + 1])),
  ...Array.from({ length: 9 }, (_, i) => floats([2, i + 1], [i + 1])),
  ...Array.from({ length: 9 }, (_, i) => floats([i + 1], [1])),
  ...(['uint8', 'int32'] as const).flatMap((dtype: DType) =>
    [[1], [3], [8], [9], [5, 3], [2, 4, 6]].flatMap((shape) => [
      [{ shape, dtype }, ...floats(shape)],
      [...floats(shape), { shape: shape.slice(-1), dtype }],
      [
        { shape, dtype },
        { shape, dtype: 'uint8' as const },
      ],
    ]),
  ),
]

/** `holes`: what the engine lacks, by op, each with its reason. */
export function operationsSuite({ agreesBothWays }: Compared, holes: Readonly<Record<string, string>>): void {
  for (const row of [...sampleCases, ...elementwiseCases]) {
    test(row.title, { skip: holes[row.opName] ?? false }, () => agreesBothWays(row))
  }

  suite('broadcasting', () => {
    for (const specs of broadcasts) {
      for (const op of ['add', 'mul', 'less', 'maximum'] as const) {
        const row = elementwiseCase(op, specs)
        test(row.title, () => agreesBothWays(row))
      }
    }
  })

  test('a comparison of two numbers is a float32', () => {
    assert.equal(toFloat(less(1, 2)).dtype, 'float32')
  })
}
