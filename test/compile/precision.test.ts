/** Mixed precision: which values of a program are stored as bfloat16, and what models make of the option. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Goals } from '../../src/compile/goals.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import { printSteps } from '../../src/compile/step.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import { dtypeOf, roundToBfloat16 } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input, isA, nameOf, topological, variable, variableOp } from '../../src/graph/node.ts'
import type { TrainingInfo } from '../../src/index.ts'
import { layers, sequential } from '../../src/index.ts'
import { trainingGoals } from '../../src/network/graphs.ts'
import { objectiveFor } from '../../src/network/objective.ts'
import { settleOptimizer } from '../../src/nn/optimizers.ts'
import { broadcastTo, reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import {
  add,
  cast,
  exp,
  less,
  log,
  mul,
  relu,
  select,
  sigmoid,
  square,
  sub,
  tanh,
  toFloat,
} from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { gather } from '../../src/ops/indexing.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { concat, pad, transpose } from '../../src/ops/movement.ts'
import { batchNorm, moments, softmax } from '../../src/ops/normalization.ts'
import { maxPool } from '../../src/ops/pooling.ts'
import { argmax, mean, sum } from '../../src/ops/reduction.ts'
import { randomUniform } from '../../src/ops/sampling.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'
import { lenet } from '../support/network.ts'
import { judged, settings, small, train } from '../support/small-model.ts'
import { ladder } from '../support/tensors.ts'

const same = { strides: [1, 1], dilation: [1, 1], padding: 'same', groups: 1 } as const
const pool = { window: [2, 2], strides: [2, 2], padding: 'valid' } as const
const engine = referenceEngine()
const { dense } = layers

test('numbers are rounded to bfloat16 as PyTorch rounds them', () => {
  const file = golden('bfloat16')
  const wanted = file.tensor('numbers/y').data
  for (const [i, x] of file.tensor('numbers/x').data.entries()) {
    assert.ok(Object.is(roundToBfloat16(x), wanted[i]), `${x} became ${roundToBfloat16(x)}, not ${wanted[i]}`)
  }
})

test('bfloat16 stays inside programs', async () => {
  assert.equal(dtypeOf(new Uint16Array(2)), undefined)
  const low = 'bfloat16' as never
  assert.throws(() => input('x', [2], low), failure('E_DTYPE', 'float32, int32 or uint8', 'bfloat16'))
  assert.throws(() => variable('x', [2], low), failure('E_DTYPE', 'bfloat16'))
  assert.throws(
    () => constant(new Uint16Array(3) as never),
    failure('E_DTYPE', 'float32, int32 or uint8', 'Uint16Array'),
  )
  const x = cast(input('x', [2]), 'bfloat16')
  const state = new State(engine)
  assert.throws(() => compile(state, { outputs: { y: x } }), failure('E_DTYPE', 'y', 'bfloat16', 'toFloat'))
  await assert.rejects(
    state.add('x', x, () => new Float32Array(2)),
    failure('E_DTYPE', 'x', 'bfloat16'),
  )
  const y = variable('y', [2])
  assert.throws(() => compile(state, { updates: [[y, x]] }), failure('E_SHAPE', 'y', 'float32', 'bfloat16'))
})

/** The steps of a program in mixed precision; values that are not asked for are numbered anew. */
function planned(goals: Partial<Goals>): string {
  const state = new State(engine)
  const roots = [...Object.values(goals.outputs ?? {}), ...(goals.updates ?? []).flat()]
  for (const node of topological(roots))
    if (isA(node, variableOp) && !state.has(nameOf(node)))
      void state.add(nameOf(node), node, () =>
        ladder(
          node.shape.reduce((a, b) => a * b, 1),
          1,
        ),
      )
  return printSteps(compile(state, goals, { precision: 'mixed_bfloat16' }).steps)
}

suite('what is stored as bfloat16', () => {
  const x = input('x', [2, 4, 4, 3])
  const [k1, k2, k3] = [variable('k1', [3, 3, 3, 5]), variable('k2', [3, 3, 5, 5]), variable('k3', [1, 1, 5, 2])]
  const bias = variable('bias', [5])
  const [a, w1, w2] = [input('a', [4, 6]), variable('w1', [6, 5]), variable('w2', [5, 3])]
  const first = relu(add(convolution(x, k1, same), bias))
  const second = convolution(first, k2, same)

  const rows: readonly [title: string, goals: Partial<Goals>, steps: readonly string[]][] = [
    [
      'what lies between two convolutions; an output is float32',
      { outputs: { y: second } },
      [
        'b1[2, 4, 4, 3] bf16 = b0[2, 4, 4, 3]',
        'b3[3, 3, 3, 5] bf16 = k1[3, 3, 3, 5]',
        'b5[2, 4, 4, 5] bf16 = max(add(convolution(b1[2, 4, 4, 3] bf16, b3[3, 3, 3, 5] bf16), bias[5]), 0)',
        'b7[3, 3, 5, 5] bf16 = k2[3, 3, 5, 5]',
        'b8[2, 4, 4, 5] = convolution(b5[2, 4, 4, 5] bf16, b7[3, 3, 5, 5] bf16)',
      ],
    ],
    [
      'weights are rounded once, for both ways; their gradients and the next weights are float32',
      (() => {
        const y = matmul(tanh(matmul(a, w1)), w2)
        const [d1, d2] = gradients(sum(square(y)), [w1, w2])
        return { updates: [[w1, sub(w1, d1)], [w2, sub(w2, d2)]], float32: [y] } // biome-ignore format: a pair a line is too long
      })(),
      [
        'b1[4, 6] bf16 = b0[4, 6]',
        'b3[6, 5] bf16 = w1[6, 5]',
        'b4[4, 5] bf16 = tanh(matmul(b1[4, 6] bf16, b3[6, 5] bf16))',
        'b6[5, 3] bf16 = w2[5, 3]',
        'b7[4, 3] bf16 = mul(2, matmul(b4[4, 5] bf16, b6[5, 3] bf16))',
        'b8[4, 5] bf16 = mul(matmul(b7[4, 3] bf16, b6[5, 3] bf16), sub(1, mul(b4[4, 5] bf16, b4[4, 5] bf16)))',
        'b9[6, 5] = sub(w1[6, 5], matmul(b1[4, 6] bf16, b8[4, 5] bf16))',
        'b10[5, 3] = sub(w2[5, 3], matmul(b4[4, 5] bf16, b7[4, 3] bf16))',
        'w1[6, 5] = b9[6, 5]',
        'w2[5, 3] = b10[5, 3]',
      ],
    ],
    [
      'softmax between two products, and a sum of them, are float32; what is made for a product alone is not',
      { outputs: { y: matmul(softmax(mul(matmul(a, w1), 0.5)), w2), total: sum(matmul(a, w1)) } },
      [
        'b1[4, 6] bf16 = b0[4, 6]',
        'b3[6, 5] bf16 = w1[6, 5]',
        'b4[4, 5] = matmul(b1[4, 6] bf16, b3[6, 5] bf16)',
        'b5[4, 5] = mul(b4[4, 5], 0.5)',
        'b6[4, 5] = softmax(b5[4, 5])',
        'b7[4, 5] bf16 = b6[4, 5]',
        'b9[5, 3] bf16 = w2[5, 3]',
        'b10[4, 3] = matmul(b7[4, 5] bf16, b9[5, 3] bf16)',
        'b11[] = sum(b4[4, 5])',
      ],
    ],
    [
      'bytes are rounded as they are scaled; a border is put around what is rounded',
      {
        outputs: {
          y: convolution(
            pad(mul(toFloat(input('bytes', [1, 4, 4, 3], 'uint8')), 1 / 255), {
              padding: [[0, 0], [1, 1], [1, 1], [0, 0]], // biome-ignore format: pairs
            }),
            k1,
            { ...same, padding: 'valid' },
          ),
        },
      },
      [
        'b1[1, 4, 4, 3] bf16 = mul(b0[1, 4, 4, 3], 0.00392157)',
        'b2[1, 6, 6, 3] bf16 = pad(b1[1, 4, 4, 3] bf16)',
        'b4[3, 3, 3, 5] bf16 = k1[3, 3, 3, 5]',
        'b5[1, 4, 4, 5] = convolution(b2[1, 6, 6, 3] bf16, b4[3, 3, 3, 5] bf16)',
      ],
    ],
    [
      'pooling, dropout and joining pass it on',
      {
        outputs: {
          y: (() => {
            const drawn = randomUniform(input('key', [4], 'int32'), { shape: [2, 2, 2, 5], stream: 1 })
            const dropped = mul(maxPool(first, pool), select(less(drawn, 0.5), 0, 2))
            return convolution(concat([dropped, input('z', [2, 2, 2, 5])]), variable('k4', [1, 1, 10, 2]), same)
          })(),
        },
      },
      [
        'b1[2, 4, 4, 3] bf16 = b0[2, 4, 4, 3]',
        'b3[3, 3, 3, 5] bf16 = k1[3, 3, 3, 5]',
        'b5[2, 4, 4, 5] bf16 = max(add(convolution(b1[2, 4, 4, 3] bf16, b3[3, 3, 3, 5] bf16), bias[5]), 0)',
        'b6[2, 2, 2, 5] bf16 = maxPool(b5[2, 4, 4, 5] bf16)',
        'b8[2, 2, 2, 5] = randomUniform(b7[4])',
        'b9[2, 2, 2, 5] bf16 = mul(b6[2, 2, 2, 5] bf16, select(less(b8[2, 2, 2, 5], 0.5), 0, 2))',
        'b11[2, 2, 2, 5] bf16 = b10[2, 2, 2, 5]',
        'b12[2, 2, 2, 10] bf16 = concat(b9[2, 2, 2, 5] bf16, b11[2, 2, 2, 5] bf16)',
        'b14[1, 1, 10, 2] bf16 = k4[1, 1, 10, 2]',
        'b15[2, 2, 2, 2] = convolution(b12[2, 2, 2, 10] bf16, b14[1, 1, 10, 2] bf16)',
      ],
    ],
    [
      'batch normalisation: moments and what they scale by are float32; a residual is added to a tail',
      {
        outputs: {
          y: convolution(
            relu(add(batchNorm(second, { ...moments(second, { axes: [0, 1, 2] }), epsilon: 0.1 }), first)),
            k3,
            same,
          ),
        },
      },
      [
        'b1[2, 4, 4, 3] bf16 = b0[2, 4, 4, 3]',
        'b3[3, 3, 3, 5] bf16 = k1[3, 3, 3, 5]',
        'b5[2, 4, 4, 5] bf16 = max(add(convolution(b1[2, 4, 4, 3] bf16, b3[3, 3, 3, 5] bf16), bias[5]), 0)',
        'b7[3, 3, 5, 5] bf16 = k2[3, 3, 5, 5]',
        'b8[2, 4, 4, 5] bf16 = convolution(b5[2, 4, 4, 5] bf16, b7[3, 3, 5, 5] bf16)',
        'b9[5] = sum(b8[2, 4, 4, 5] bf16)',
        'b10[5] = mul(b9[5], 0.03125)',
        'b11[5] = sum(mul(sub(b8[2, 4, 4, 5] bf16, b10[5]), sub(b8[2, 4, 4, 5] bf16, b10[5])))',
        'b12[5] = div(1, sqrt(add(mul(b11[5], 0.03125), 0.1)))',
        'b13[2, 4, 4, 5] bf16 = max(add(mul(sub(b8[2, 4, 4, 5] bf16, b10[5]), b12[5]), b5[2, 4, 4, 5] bf16), 0)',
        'b15[1, 1, 5, 2] bf16 = k3[1, 1, 5, 2]',
        'b16[2, 4, 4, 2] = convolution(b13[2, 4, 4, 5] bf16, b15[1, 1, 5, 2] bf16)',
      ],
    ],
    [
      'what a sum alone reads is float32, the mean of an image rounded as it is made; back it is spread in bfloat16',
      (() => {
        const y = matmul(mean(second, { axes: [1, 2] }), w2)
        return { outputs: { dk2: gradients(sum(exp(y)), [k2])[0] } }
      })(),
      [
        'b1[2, 4, 4, 3] bf16 = b0[2, 4, 4, 3]',
        'b3[3, 3, 3, 5] bf16 = k1[3, 3, 3, 5]',
        'b5[2, 4, 4, 5] bf16 = max(add(convolution(b1[2, 4, 4, 3] bf16, b3[3, 3, 3, 5] bf16), bias[5]), 0)',
        'b7[3, 3, 5, 5] bf16 = k2[3, 3, 5, 5]',
        'b8[2, 4, 4, 5] = convolution(b5[2, 4, 4, 5] bf16, b7[3, 3, 5, 5] bf16)',
        'b9[2, 5] = sum(b8[2, 4, 4, 5])',
        'b10[2, 5] bf16 = mul(b9[2, 5], 0.0625)',
        'b12[5, 3] bf16 = w2[5, 3]',
        'b13[2, 3] bf16 = exp(matmul(b10[2, 5] bf16, b12[5, 3] bf16))',
        'b14[2, 5] bf16 = mul(matmul(b13[2, 3] bf16, b12[5, 3] bf16), 0.0625)',
        'b15[2, 4, 4, 5] bf16 = broadcastTo(b14[2, 1, 1, 5] bf16)',
        'b16[3, 3, 5, 5] = convolutionKernelGradient(b5[2, 4, 4, 5] bf16, b15[2, 4, 4, 5] bf16)',
      ],
    ],
    [
      'one number a channel, that scales what it comes from, is float32',
      {
        outputs: {
          y: convolution(
            mul(
              first,
              reshape(sigmoid(matmul(mean(first, { axes: [1, 2] }), variable('w5', [5, 5]))), { shape: [2, 1, 1, 5] }),
            ),
            k3,
            same,
          ),
        },
      },
      [
        'b1[2, 4, 4, 3] bf16 = b0[2, 4, 4, 3]',
        'b3[3, 3, 3, 5] bf16 = k1[3, 3, 3, 5]',
        'b5[2, 4, 4, 5] bf16 = max(add(convolution(b1[2, 4, 4, 3] bf16, b3[3, 3, 3, 5] bf16), bias[5]), 0)',
        'b6[2, 5] = sum(b5[2, 4, 4, 5] bf16)',
        'b7[2, 5] bf16 = mul(b6[2, 5], 0.0625)',
        'b9[5, 5] bf16 = w5[5, 5]',
        'b10[2, 5] = div(1, add(1, exp(neg(matmul(b7[2, 5] bf16, b9[5, 5] bf16)))))',
        'b11[2, 4, 4, 5] bf16 = mul(b5[2, 4, 4, 5] bf16, b10[2, 1, 1, 5])',
        'b13[1, 1, 5, 2] bf16 = k3[1, 1, 5, 2]',
        'b14[2, 4, 4, 2] = convolution(b11[2, 4, 4, 5] bf16, b13[1, 1, 5, 2] bf16)',
      ],
    ],
    [
      'a penalty on weights, and rows of a table, are float32',
      (() => {
        const table = variable('table', [9, 6])
        const y = matmul(gather(table, input('i', [4], 'int32')), w1)
        const [dtable] = gradients(add(sum(square(y)), sum(square(w1))), [table])
        return { outputs: { dtable, penalty: sum(square(w1)) }, float32: [y] }
      })(),
      [
        'b2[4, 6] = gather(table[9, 6], b1[4])',
        'b3[4, 6] bf16 = b2[4, 6]',
        'b5[6, 5] bf16 = w1[6, 5]',
        'b6[4, 5] bf16 = mul(2, matmul(b3[4, 6] bf16, b5[6, 5] bf16))',
        'b7[4, 6] = matmul(b6[4, 5] bf16, b5[6, 5] bf16)',
        'b8[9, 6] = gatherGradient(b7[4, 6], b1[4])',
        'b9[] = sum(mul(w1[6, 5], w1[6, 5]))',
      ],
    ],
    [
      'a graph without products stays as it is',
      { outputs: { y: argmax(mul(broadcastTo(input('row', [6]), { shape: [4, 6] }), transpose(input('t', [6, 4]), { permutation: [1, 0] }))) } }, // biome-ignore format: a row
      ['b1[4, 6] = transpose(b0[6, 4])', 'b3[4, 6] = mul(b2[6], b1[4, 6])', 'b4[4] = argmax(b3[4, 6])'],
    ],
  ]
  for (const [title, goals, wanted] of rows) test(title, () => assert.deepEqual(planned(goals).split('\n'), wanted))

  test('values that shall stay float32 do, though an elementwise gradient leads from them to a product', () => {
    const w3 = variable('w3', [6, 1])
    const logits = reshape(matmul(a, w3), { shape: [4] })
    const p = sigmoid(logits)
    const goals = { outputs: { dw: gradients(sum(log(p)), [w3])[0], loss: sum(log(p)) } }
    assert.match(planned(goals), /^b\d+\[4, 1\] bf16 = matmul/m)
    const kept = planned({ ...goals, float32: [logits] })
    assert.match(kept, /^b\d+\[4, 1\] = matmul/m)
    const shown = reshape(relu(matmul(a, w3)), { shape: [4] })
    const slope = gradients(sum(exp(shown)), [w3])[0]
    assert.match(planned({ outputs: { slope } }), /^b\d+\[4, 1\] bf16 = max\(matmul/m)
    assert.match(planned({ outputs: { slope }, float32: [shown] }), /^b\d+\[4, 1\] = max\(matmul/m)
  })

  test('a tail takes bfloat16 whole, not a row of it', () => {
    const row = cast(input('row', [5]), 'bfloat16')
    const moved = concat([row, row])
    const text = planned({ outputs: { y: add(matmul(a, variable('w4', [6, 10])), moved) } })
    assert.match(text, / = add\(b\d+\[4, 10\], b\d+\[10\] bf16\)$/)
  })

  test('the gradient of a gradient is rounded in its products too', () => {
    const v = input('v', [6, 5])
    const slope = (w: Node) => gradients(sum(exp(matmul(a, w))), [w])[0]
    const text = planned({ outputs: { y: gradients(sum(mul(slope(w1), v)), [w1])[0] } })
    const products = text.split('\n').filter((line) => line.includes('matmul('))
    assert.ok(products.length >= 3)
    for (const line of products)
      assert.equal(line.match(/matmul\(b\d+\[\d, \d\] bf16, b\d+\[\d, \d\] bf16\)/g)?.length, 1, line)
  })

  test('LeNet: activations and their gradients, bytes and weights once; no loss, logits or gradients of weights', () => {
    const { training } = lenet(2)
    const lines = planned(training).split('\n')
    const made = lines.flatMap((line) => line.split('; ')).map((part) => part.split(' = '))
    const low = made.filter(([name]) => name.endsWith('bf16')).map(([, how]) => how.replace(/b\d+/g, '-'))
    const first = (how: string) => /\w+\(|\w+(?=\[)|-/.exec(how.replace(/^(max|mul)\((add\()?/, ''))?.[0]
    assert.deepEqual(low.map(first), [
      ...['-', 'kernel1', 'convolution(', 'maxPool(', 'kernel2', 'convolution(', 'maxPool('],
      ...['kernel3', 'matmul(', 'kernel4', 'sub(', 'matmul(', 'matmul('],
      ...['maxPoolGradient(', 'convolutionInputGradient(', 'maxPoolGradient('],
    ])
  })
})

suite('the option', () => {
  const mixed = { engine: 'reference', precision: 'mixed_bfloat16' } as const
  const quick = { ...settings, epochs: 1, steps: 2 } as const
  const told = (infos: TrainingInfo[]) => ({ onTrainBegin: (info: TrainingInfo) => void infos.push(info) })

  test('a call may say another, for itself alone', async () => {
    const model = small(mixed)
    const first = await model.evaluate(judged)
    assert.deepEqual(await model.evaluate(judged), first)
    const exact = await model.evaluate(judged, { precision: 'float32' })
    assert.notEqual(first['loss'], exact['loss'])
    assert.ok(Math.abs(first['loss'] - exact['loss']) < 0.01 * exact['loss'])
    assert.deepEqual(await model.evaluate(judged), first)
    assert.deepEqual(await model.evaluate(judged, mixed), first)
    assert.deepEqual(await small({ engine: 'reference' }).evaluate(judged), exact)
  })

  test('the logits of a model stay float32', async () => {
    const network = sequential({ inputShape: [4] }, [
      dense({ units: 3, activation: 'relu' }),
      dense({ units: 2 }),
    ]).network
    const fields = {
      name: 'four',
      inputs: { x: { shape: [4], dtype: 'float32' } },
      targets: { y: { shape: [2], dtype: 'float32' } },
    } as const
    const objective = objectiveFor(network, fields, { loss: 'meanSquaredError' })
    const goals = trainingGoals(network, objective, { size: 7, ...fields }, settleOptimizer('sgd'))
    assert.match(planned(goals), /^b\d+\[7, 3\] bf16 = max\(add\(matmul/m)
    assert.match(planned(goals), /^b\d+\[7, 2\] = sub\(add\(matmul/m)
  })

  test('training says what is computed, and what was asked for where that is another', async () => {
    const infos: TrainingInfo[] = []
    for (const options of [mixed, { engine: 'reference' }, { ...mixed, engine: 'wasm' }] as const)
      await small(options).fit(train, { ...quick, callbacks: [told(infos)] })
    assert.deepEqual(
      infos.map(({ precision, askedPrecision }) => [precision, askedPrecision]),
      [['mixed_bfloat16', undefined], ['float32', undefined], ['float32', 'mixed_bfloat16']], // biome-ignore format: rows
    )
  })
})
