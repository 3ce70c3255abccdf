/** The part of the bfloat16 suite whose truth is PyTorch: numbers, products and a net as it rounds them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import type { ConvolutionAttrs } from '../../src/ops/convolution.ts'
import { convolution, convolutionInputGradient, convolutionKernelGradient } from '../../src/ops/convolution.ts'
import { add, mul, relu } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import type { MatmulAttrs } from '../../src/ops/matmul.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { sum } from '../../src/ops/reduction.ts'
import { low, mixed, seen, stored } from '../support/bfloat16.ts'
import type { Compared } from '../support/compared.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'
import { same } from '../support/windows.ts'

interface ProductCase {
  readonly name: string
  readonly kind: 'rounding' | 'convolution' | 'matmul' | 'net'
  readonly attrs: ConvolutionAttrs & MatmulAttrs
}
const file = golden<ProductCase>('bfloat16')

/** A product of rounded numbers and its gradients, kept as float32 and stored as bfloat16. */
function products({ name, kind, attrs }: ProductCase) {
  const [a, b, dy] = ['a', 'b', 'dy'].map((x) => low(input(x, file.tensor(`${name}/${x}`).shape)))
  const both = (make: (dtype: 'float32' | 'bfloat16') => Node) => [make('float32'), seen(make('bfloat16'))]
  const of = {
    convolution: () => ({
      y: both((dtype) => convolution(a, b, { ...attrs, dtype })),
      da: both((dtype) => convolutionInputGradient(dy, b, { ...attrs, inputShape: a.shape, dtype })),
      db: convolutionKernelGradient(a, dy, { ...attrs, kernelShape: b.shape }),
    }),
    matmul: () => ({
      y: both((dtype) => matmul(a, b, { dtype })),
      da: both((dtype) => matmul(dy, b, { transposeB: true, dtype })),
      db: matmul(a, dy, { transposeA: true }),
    }),
  }
  const { y, da, db } = of[kind as keyof typeof of]()
  return { y: y[0], 'low y': y[1], da: da[0], 'low da': da[1], db }
}

export function mixedGoldenSuite({ engine, toleranceOf }: Compared): void {
  test('numbers are rounded to the nearest, ties to even; what is no number stays none', async () => {
    const { data: x } = file.tensor('numbers/x')
    const { data: wanted } = file.tensor('numbers/y')
    for (const make of [(y: Node) => seen(stored(y)), (y: Node) => seen(low(mul(y, 1)))]) {
      const { y } = await evaluate(engine, { outputs: { y: make(input('x', [x.length])) } }, { x })
      for (const [i, value] of wanted.entries()) {
        const isFlushed = Math.abs(x[i]) < 2 ** -126 && y[i] === 0 // as AVX-512 does
        assert.ok(Object.is(y[i], value) || isFlushed, `${x[i]} became ${y[i]}, not ${value}`)
      }
    }
  })

  for (const row of file.cases.filter(({ kind }) => kind === 'convolution' || kind === 'matmul')) {
    test(`golden: ${row.name}`, async () => {
      const values = Object.fromEntries(['a', 'b', 'dy'].map((x) => [x, file.tensor(`${row.name}/${x}`).data]))
      const got = await evaluate(engine, { outputs: products(row) }, values)
      for (const [key, y] of Object.entries(got)) {
        assert.deepEqual(Float64Array.from(y), Float64Array.from(file.tensor(`${row.name}/${key}`).data), key)
      }
    })
  }

  test('golden: a net, planned in mixed precision, rounds where it should', async () => {
    const names = ['x', 'first', 'bias', 'second', 'dy']
    const [x, first, bias, second, dy] = names.map((name) => input(name, file.tensor(`net/${name}`).shape))
    const y = convolution(relu(add(convolution(x, first, same), bias)), second, same)
    const [dfirst, dbias, dsecond] = gradients(sum(mul(y, dy)), [first, bias, second])
    const values = Object.fromEntries(names.map((name) => [name, file.tensor(`net/${name}`).data]))
    const got = await evaluate(engine, { outputs: { y, dfirst, dbias, dsecond } }, values, mixed)
    for (const [key, value] of Object.entries(got)) {
      assertClose(value, file.tensor(`net/${key}`).data, Math.max(toleranceOf('convolution'), 1e-12), key)
    }
  })
}
