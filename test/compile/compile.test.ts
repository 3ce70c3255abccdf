/** What a graph becomes: tests speak by the printed text. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Stage } from '../../src/compile/engine.ts'
import type { Goals } from '../../src/compile/goals.ts'
import type { MemoryRules } from '../../src/compile/memory.ts'
import { planMemory } from '../../src/compile/memory.ts'
import { compile } from '../../src/compile/program.ts'
import { schedule } from '../../src/compile/schedule.ts'
import { simplify } from '../../src/compile/simplify.ts'
import { State } from '../../src/compile/state.ts'
import type { Buffer, StepLimits } from '../../src/compile/step.ts'
import { printSteps } from '../../src/compile/step.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import { wasmEngine } from '../../src/engines/wasm/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input, variable } from '../../src/graph/node.ts'
import { printGraph } from '../../src/graph/print.ts'
import { broadcastTo, reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { add, cast, div, exp, less, mul, neg, relu, select, sigmoid, sub, tanh } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { concat, pad, slice, transpose } from '../../src/ops/movement.ts'
import { batchNorm, moments, softmax } from '../../src/ops/normalization.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { max, mean, sum } from '../../src/ops/reduction.ts'
import { partsOf } from '../../src/ops/scalar.ts'
import { failure } from '../support/failure.ts'
import { addWeights, lenet } from '../support/network.ts'
import { ladder, uniform } from '../support/tensors.ts'

const x = input('x', [2, 3])
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const rules: MemoryRules = { alignment: 64, slack: 32, inPlace: true }
const same = { strides: [1, 1], dilation: [1, 1], padding: 'same', groups: 1 } as const
const pool = { window: [2, 2], strides: [2, 2], padding: 'valid' } as const

test('a graph as text', () => {
  const image = input('image', [1, 4, 4, 1], 'uint8')
  const y = convolution(mul(image, 1 / 255), variable('kernel', [3, 3, 1, 2]), same)
  assert.equal(
    printGraph([sum(relu(y), { axes: [3] })]),
    `%0 = input {name: image} uint8 [1, 4, 4, 1]
%1 = constant {value: 0.00392156862745098} float32 []
%2 = mul(%0, %1) float32 [1, 4, 4, 1]
%3 = variable {name: kernel} float32 [3, 3, 1, 2]
%4 = convolution(%2, %3) {strides: [1, 1], dilation: [1, 1], padding: same, groups: 1} float32 [1, 4, 4, 2]
%5 = max(%4, 0) float32 [1, 4, 4, 2]
%6 = sum(%5) {from: 3, to: 4} float32 [1, 4, 4]`,
  )
  assert.equal(printGraph([constant(Float32Array.of(1, 2))]), '%0 = constant {value: 2 values} float32 [2]')
})

suite('simplify', () => {
  const zero = constant(0)
  const ones = broadcastTo(constant(1), { shape: [2, 3] })
  const row = (...values: number[]) => constant(Float32Array.from(values))
  /** A graph, and the text of what is left of it; `x` alone is `%0 = input`. */
  const rows: readonly [title: string, graph: Node, left: string][] = [
    ['x + 0', add(x, 0), ''],
    ['0 + x', add(zero, x), ''],
    ['x - 0', sub(x, 0), ''],
    ['0 - x stays', sub(zero, x), '%1 = sub(0, %0) float32 [2, 3]'],
    ['x * 1', mul(x, 1), ''],
    ['x / 1', div(x, 1), ''],
    ['x * a tensor of ones', mul(x, ones), ''],
    ['(x * 1 + 0) / 1', div(add(mul(x, 1), 0), 1), ''],
    ['x * 0 stays: x may be NaN', mul(x, 0), '%1 = mul(%0, 0) float32 [2, 3]'],
    ['numbers are worked out', mul(x, add(constant(2), div(1, 4))), '%1 = mul(%0, 2.25) float32 [2, 3]'],
    ['x + 0 of another shape stays', add(x, broadcastTo(constant(0), { shape: [4, 2, 3] })), '%2 = '],
    ['equal nodes become one', add(exp(x), exp(x)), '%1 = exp(%0) float32 [2, 3]\n%2 = add(%1, %1) float32 [2, 3]'],
    ['by what they compute, not by their names', add(neg(x), mul(neg(x), 1)), '%1 = neg(%0)'],
    [
      '0 and -0 are two numbers',
      sub(div(1, mul(x, 0)), div(1, mul(x, -0))),
      '%1 = mul(%0, 0) float32 [2, 3]\n%2 = div(1, %1) float32 [2, 3]\n%3 = mul(%0, 0)',
    ],
    [
      'arrays are told apart',
      add(mul(x, row(1, 2, 3)), mul(x, row(3, 2, 1))),
      '%2 = mul(%0, %1) float32 [2, 3]\n%4 = mul(%0, %3)',
    ],
    ['a reshape to itself', reshape(x, { shape: [2, 3] }), ''],
    ['a reshape of a reshape', reshape(reshape(x, { shape: [6] }), { shape: [2, 3] }), ''],
    ['a transpose that turns nothing', transpose(x, { permutation: [0, 1] }), ''],
    ['a slice of all', slice(x, { begin: [0, 0], size: [2, 3] }), ''],
    ['a border of nothing', pad(x, { padding: [[0, 0], [0, 0]] }), ''], // biome-ignore format: a row
    ['one tensor after none', concat([x]), ''],
    ['a broadcast to itself', broadcastTo(x, { shape: [2, 3] }), ''],
    [
      'a broadcast read elementwise',
      mul(broadcastTo(input('x', [3]), { shape: [2, 3] }), x),
      '%2 = mul(%0, %1) float32 [2, 3]',
    ],
    ['a sum over axes of size 1', sum(reshape(x, { shape: [2, 1, 3] }), { axes: [1] }), ''],
    [
      'a part of a cast',
      slice(cast(x, 'bfloat16'), { begin: [0, 1], size: [2, 2] }),
      '%1 = slice(%0) {begin: [0, 1], size: [2, 2]} float32 [2, 2]\n%2 = %1 bfloat16',
    ],
    [
      'what of a kernel only meets the border',
      convolution(input('x', [2, 1, 2, 3]), constant(new Float32Array(5 * 3 * 3 * 4), [5, 3, 3, 4]), same),
      '%2 = slice(%1) {begin: [2, 0, 0, 0], size: [1, 3, 3, 4]} float32 [1, 3, 3, 4]\n' +
        '%3 = convolution(%0, %2) {strides: [1, 1], dilation: [1, 1], padding: [[0, 0], [1, 1]], groups: 1}',
    ],
    ['the gradient of a mean', gradients(mean(mul(x, x)), [x])[0], '%1 = '],
  ]
  for (const [title, graph, left] of rows) {
    test(title, () => {
      const lines = printGraph(simplify([graph])).split('\n')
      const inputs = lines.filter((line) => line.includes('= input') || line.includes('= constant'))
      const rest = lines.filter((line) => !inputs.includes(line)).join('\n')
      if (left === '') assert.deepEqual([rest, inputs.length], ['', 1], lines.join('\n'))
      else assert.ok(rest.startsWith(left), lines.join('\n'))
    })
  }

  test('roots keep their order, and a graph that is simple is left as it is', () => {
    const y = exp(x)
    assert.deepEqual(simplify([y, add(x, 0), y]), [y, x, y])
    const again = simplify(simplify([softmax(y)]))
    assert.equal(printGraph(again), printGraph(simplify([softmax(y)])))
  })
})

test('a convolution without what only meets the border is the same one, and so are its gradients', async () => {
  const numbers = [1, 2, 3, 4, 5]
  const engine = referenceEngine()
  const state = new State(engine)
  let cropped = 0
  for (const [at, size] of numbers.entries())
    for (const window of numbers)
      for (const stride of [1, 2, 3]) {
        // every border that leaves room for the window, of two dilations
        const borders = [0, 1, 3, 4].flatMap((before) => [0, 1, 4].map((after) => [before, after] as const))
        const outputs: Record<string, Node> = {}
        for (const dilation of [1, 2])
          for (const [before, after] of borders) {
            if (size + before + after < (window - 1) * dilation + 1) continue
            const [x, k] = [input('x', [2, size, 2]), input('k', [window, 2, 3])]
            const y = convolution(x, k, {
              strides: [stride],
              dilation: [dilation],
              padding: [[before, after]],
              groups: 1,
            })
            const name = [dilation, before, after].join()
            outputs[`${name} y`] = y
            const [dx, dk] = gradients(sum(mul(y, input('dy', [3]))), [x, k])
            Object.assign(outputs, { [`${name} dx`]: dx, [`${name} dk`]: dk })
          }
        const values = {
          x: ladder(2 * size * 2, at),
          k: ladder(window * 2 * 3, at + 7),
          dy: ladder(3, at + 9),
        }
        const run = async (optimize: 'on' | 'off') => {
          const program = compile(state, { outputs }, { optimize })
          const results = await program.run(values)
          if (optimize === 'on') cropped += program.print().split('slice(').length - 1
          program.close()
          return results
        }
        const [now, plain] = [await run('on'), await run('off')]
        for (const name of Object.keys(outputs))
          for (const [i, value] of plain[name].entries())
            assert.ok(Math.abs(value - now[name][i]) < 1e-12, `${size} by ${window}, stride ${stride}: ${name}[${i}]`)
      }
  state.close()
  await engine.close()
  assert.ok(cropped > 150, `${cropped}`)
})

suite('fuse', () => {
  const image = input('image', [2, 6, 6, 3])
  const [kernel, bias] = [variable('kernel', [3, 3, 3, 4]), variable('bias', [4])]
  const convolved = add(convolution(image, kernel, same), bias)
  const [a, b] = [input('a', [4, 5]), input('b', [5, 3])]
  const rest = input('rest', [4, 3])
  const steps = (...roots: Node[]): string => {
    const outputs = Object.fromEntries(simplify(roots).map((node, i) => [`y${i}`, node]))
    return printSteps(schedule({ outputs, updates: [] }, { rules }).steps)
  }

  /** A graph, and its steps. Values are named in the order of their appearance. */
  const rows: readonly [title: string, text: string, wanted: string][] = [
    [
      'convolution + bias + relu is one step',
      steps(relu(convolved)),
      'b3[2, 6, 6, 4] = max(add(convolution(b0[2, 6, 6, 3], kernel[3, 3, 3, 4]), bias[4]), 0)',
    ],
    [
      'matmul + tanh + residual is one step',
      steps(add(tanh(matmul(a, b)), rest)),
      'b3[4, 3] = add(tanh(matmul(b0[4, 5], b1[5, 3])), b2[4, 3])',
    ],
    [
      'an elementwise chain is one step',
      steps(mul(exp(sub(rest, 1)), sigmoid(rest))),
      'b1[4, 3] = mul(exp(sub(b0[4, 3], 1)), div(1, add(1, exp(neg(b0[4, 3])))))',
    ],
    ['a sum computes its operand as it reads', steps(sum(mul(rest, rest))), 'b1[] = sum(mul(b0[4, 3], b0[4, 3]))'],
    [
      'a reshape is free',
      steps(reshape(exp(reshape(rest, { shape: [12] })), { shape: [3, 4] })),
      'b1[12] = exp(b0[12])',
    ],
    [
      'what is needed twice is computed once',
      steps(exp(matmul(a, b)), neg(matmul(a, b))),
      'b2[4, 3] = matmul(b0[4, 5], b1[5, 3])\nb3[4, 3] = exp(b2[4, 3]); b4[4, 3] = neg(b2[4, 3])',
    ],
    [
      'a result that is asked for is kept',
      steps(matmul(a, b), relu(matmul(a, b))),
      'b2[4, 3] = matmul(b0[4, 5], b1[5, 3])\nb3[4, 3] = max(b2[4, 3], 0)',
    ],
    [
      'pooling takes no tail',
      steps(relu(maxPool(image, pool))),
      'b1[2, 3, 3, 3] = maxPool(b0[2, 6, 6, 3])\nb2[2, 3, 3, 3] = max(b1[2, 3, 3, 3], 0)',
    ],
    [
      'an operand that repeats along rows is no tail',
      steps(mul(matmul(a, b), input('column', [4, 1]))),
      'b2[4, 3] = matmul(b0[4, 5], b1[5, 3])\nb4[4, 3] = mul(b2[4, 3], b3[4, 1])',
    ],
  ]
  for (const [title, text, wanted] of rows) test(title, () => assert.equal(text, wanted))

  test('fusing can be left off: a step a node', () => {
    const y = relu(convolved)
    assert.equal(schedule({ outputs: { y }, updates: [] }, { fusing: 'off', rules }).steps.length, 3)
  })

  test('a training step: relu rides back on pooling, the first layer needs no input gradient', () => {
    const { training } = lenet(2)
    const flat = Object.values(training.outputs)
    const nodes = simplify([...flat, ...training.updates.flat()])
    const updates = training.updates.map(([, _], i) => [nodes[1 + 2 * i], nodes[2 + 2 * i]] as const)
    const text = printSteps(schedule({ outputs: { loss: nodes[0] }, updates }, { rules }).steps)
    const count = (pattern: RegExp) => [...text.matchAll(pattern)].length
    assert.equal(count(/= max\(add\(convolution\(/g), 2, text)
    assert.equal(count(/= max\(add\(matmul\(/g), 1, text)
    assert.equal(count(/= mul\(maxPoolGradient\(.*\), less\(0, b\d+/g), 2, text)
    assert.equal(count(/convolutionInputGradient/g), 1, text)
    assert.equal(count(/convolutionKernelGradient/g), 2, text)
    assert.equal(count(/convolution\(/g), 2, text)
    assert.equal(count(/^kernel1.* = select\(/gm), 1, 'updates in place')
  })

  test('batch normalisation in training: three passes after the convolution, three back after what brings dy', () => {
    const [gamma, beta, last] = [variable('gamma', [4]), variable('beta', [4]), variable('last', [3, 3, 4, 4])]
    const own = moments(convolved, { axes: [0, 1, 2] })
    const y = relu(batchNorm(convolved, { ...own, gamma, beta, epsilon: 1e-3 }))
    const z = convolution(y, last, same)
    const lines = steps(...gradients(sum(mul(z, z)), [kernel, gamma, beta, last])).split('\n')
    const whole = '[2, 6, 6, 4]'
    const passes = lines
      .filter((line) => line.includes(whole))
      .map((line) => line.replaceAll(whole, '').replace(/b\d+/g, '-'))
    assert.deepEqual(passes, [
      '- = add(convolution(-[2, 6, 6, 3], kernel[3, 3, 3, 4]), bias[4])',
      '-[4] = sum(-)',
      '-[4] = sum(mul(sub(-, -[4]), sub(-, -[4])))',
      '- = max(add(mul(sub(-, -[4]), -[4]), beta[4]), 0)',
      '- = add(convolution(-, last[3, 3, 4, 4]), convolution(-, last[3, 3, 4, 4]))',
      '- = mul(convolutionInputGradient(-, last[3, 3, 4, 4]), less(0, -))',
      '-[4] = sum(mul(-, sub(-, -[4])))',
      '-[4] = sum(-)',
      '- = add(add(mul(-, -[4]), mul(-[4], sub(-, -[4]))), -[4])',
      '-[3, 3, 3, 4] = convolutionKernelGradient(-[2, 6, 6, 3], -)',
      '-[3, 3, 4, 4] = convolutionKernelGradient(-, -)',
    ])
  })

  test('expressions stay bounded, however often a value is squared', () => {
    let y: Node = rest
    for (let i = 0; i < 60; i++) y = mul(y, y)
    let z: Node = rest
    for (let i = 0; i < 60; i++) z = mul(add(z, 0.5), z)
    assert.ok(steps(y, z).length < 100_000)
    const engine = referenceEngine()
    compile(new State(engine), { outputs: { y, z } })
  })

  const crowds: readonly [title: string, limits: StepLimits, outputs: Readonly<Record<string, Node>>, most: number][] = [
    ['operands', { operands: 6, parts: 99 }, { y: many(21, (i) => input(`x${i}`, [2, 3])).reduce((a, b) => add(a, b)) }, 7],
    ['results', { operands: 6, parts: 99 }, Object.fromEntries(many(20, (i) => [`y${i}`, mul(x, i + 2)])), 5],
    ['parts', { operands: 99, parts: 20 }, { y: many(20, (i) => i + 2).reduce((y: Node, i) => exp(mul(y, i)), x) }, 5],
  ] // biome-ignore format: a row a line
  for (const [title, limits, outputs, most] of crowds)
    test(`no step has more ${title} than the engine takes`, () => {
      const program = compile(new State({ ...referenceEngine(), limits }), { outputs })
      for (const step of program.steps) {
        assert.ok(step.inputs.length + step.outputs.length <= limits.operands, program.print())
        assert.ok(step.kind === 'elementwise' && partsOf(step.expressions) <= limits.parts, program.print())
      }
      assert.ok(program.steps.length <= most, program.print())
    })

  test('Adam: one loop for three variables', () => {
    const [w, m, v] = ['w', 'm', 'v'].map((name) => variable(name, [7]))
    const g = input('g', [7])
    const nextM = add(mul(m, 0.9), mul(g, 0.1))
    const nextV = add(mul(v, 0.999), mul(mul(g, g), 0.001))
    const next = sub(w, div(nextM, add(nextV, 1e-7)))
    const { steps } = schedule({ outputs: {}, updates: [[w, next], [m, nextM], [v, nextV]] }, { rules }) // biome-ignore format: pairs
    const names = steps.map(({ outputs }) =>
      outputs.map(({ buffer: { home } }) => (home.in === 'state' ? home.name : '-')),
    )
    assert.deepEqual(
      names.map((list) => list.sort()),
      [['m', 'v', 'w']],
      printSteps(steps),
    )
  })

  test('a variable is overwritten where it is read only where the engine may work in place', () => {
    const w = variable('w', [7])
    const updates = [[w, mul(w, 0.5)]] as const
    const writes = (inPlace: boolean) =>
      schedule({ outputs: {}, updates }, { rules: { inPlace } }).steps.map(({ inputs, outputs }) => [
        inputs[0].buffer.home.in,
        outputs[0].buffer.home.in,
      ])
    assert.deepEqual(writes(true), [['state', 'state']])
    assert.deepEqual(writes(false), [
      ['state', 'arena'],
      ['arena', 'state'],
    ])
  })
})

suite('memory', () => {
  const engine = wasmEngine({ threads: 1 })
  after(() => engine.close())
  const buffer = (bytes: number): Buffer => ({ bytes, home: { in: 'arena' } })

  /** When each buffer is alive by the rules of the contract, worked out by brute force. */
  function overlaps(
    stages: readonly Pick<Stage, 'reads' | 'writes' | 'inPlace'>[],
    { before, after }: Record<'before' | 'after', readonly Buffer[]>,
    offsets: ReadonlyMap<Buffer, number>,
    { slack }: MemoryRules = rules,
  ): string[] {
    const complaints: string[] = []
    const all = new Set([...stages.flatMap(({ reads, writes }) => [...reads, ...writes]), ...before, ...after])
    const arena = [...all].filter(({ home }) => home.in === 'arena')
    const uses = new Map(
      arena.map((b) => {
        const times = stages.flatMap(({ reads, writes }, t) => (reads.includes(b) || writes.includes(b) ? [t] : []))
        if (before.includes(b)) times.push(-1)
        if (after.includes(b)) times.push(stages.length)
        return [b, { first: Math.min(...times), last: Math.max(...times) }] as const
      }),
    )
    for (const [i, a] of arena.entries()) {
      for (const b of arena.slice(i + 1)) {
        const [at, bt] = [offsets.get(a) as number, offsets.get(b) as number]
        if (at >= bt + b.bytes + slack || bt >= at + a.bytes + slack) continue
        const [au, bu] = [uses.get(a), uses.get(b)] as { first: number; last: number }[]
        const [early, late] =
          au.first <= bu.first
            ? [
                { b: a, ...au },
                { b, ...bu },
              ]
            : [
                { b, ...bu },
                { b: a, ...au },
              ]
        if (early.last < late.first) continue
        // over an operand that dies: only in a loop that needs nothing but its own element, and of the same size
        const stage = stages[late.first]
        const inPlace =
          early.last === late.first && stage?.inPlace && stage.reads.includes(early.b) && stage.writes.includes(late.b)
        if (inPlace && at === bt && a.bytes === b.bytes && !stage.writes.includes(early.b)) continue
        complaints.push(`${a.bytes} bytes at ${at} and ${b.bytes} at ${bt}, ${JSON.stringify([au, bu])}`)
      }
    }
    return complaints
  }

  /** Engines as there may be: what their kernels read beyond the end counts as theirs. */
  const engineRules: readonly MemoryRules[] = [
    rules,
    { alignment: 256, slack: 0, inPlace: false },
    { alignment: 4, slack: 20, inPlace: true },
  ]

  test('random plans: nothing that is alive overlaps, by the rules of any engine', () => {
    const draw = uniform(1)
    const below = (n: number) => Math.floor(draw() * n)
    for (let round = 0; round < 150; round++) {
      const own = engineRules[round % engineRules.length]
      const sizes = [4, 8, 32, 33, 64, 100, 128, 4096]
      const buffers = Array.from({ length: 1 + below(25) }, () => buffer(sizes[below(sizes.length)]))
      const before = buffers.filter(() => below(5) === 0)
      const known = [...before]
      const stages = buffers
        .filter((b) => !before.includes(b))
        .map((made) => {
          const reads = known.filter(() => below(4) === 0)
          known.push(made)
          const extra = below(6) === 0 ? [buffer(sizes[below(sizes.length)])] : []
          const writes = below(4) === 0 && known.length > 2 ? [made, known[below(known.length - 1)]] : [made]
          return { reads: [...reads, ...extra], writes: [...writes, ...extra], inPlace: below(2) === 0 }
        })
      const after = known.filter(() => below(6) === 0)
      const { offsets, peakBytes, liveBytes } = planMemory(stages, before, after, own)
      const judged = own.inPlace ? stages : stages.map((stage) => ({ ...stage, inPlace: false }))
      assert.deepEqual(overlaps(judged, { before, after }, offsets, own), [])
      for (const [b, offset] of offsets) {
        assert.ok(offset % own.alignment === 0 && offset + b.bytes + own.slack <= peakBytes)
      }
      assert.ok(peakBytes >= liveBytes)
    }
  })

  const networks: readonly [title: string, options: Parameters<typeof lenet>[1], batch: number][] = [
    ['a small LeNet', {}, 8],
    ['LeNet, batch 1', { filters: [20, 50], units: 500, side: 28 }, 1],
    ['LeNet, batch 64', { filters: [20, 50], units: 500, side: 28 }, 64],
    ['LeNet, batch 128', { filters: [20, 50], units: 500, side: 28 }, 128],
    ['wide, batch 50', { filters: [32, 64], units: 1024, side: 28 }, 50],
  ]
  for (const [title, options, batch] of networks) {
    test(`${title}: the arena is at most 1.2 times what is alive at once, and nothing overlaps`, async () => {
      const { training, weights, logits } = lenet(batch, options)
      const state = new State(engine)
      await addWeights(state, weights)
      for (const goals of [training, { outputs: { logits }, updates: [] }] satisfies Goals[]) {
        const program = compile(state, goals)
        const { peakBytes, liveBytes, offsets } = program.memory
        assert.ok(peakBytes <= 1.2 * liveBytes, `${peakBytes} bytes for ${liveBytes}`)
        assert.ok(program.print().endsWith(`arena ${peakBytes} bytes, at least ${liveBytes} are alive at once`))
        const stages = engine.lower(program.steps, new Set())
        assert.ok(offsets.size > 3 && stages.length >= program.steps.length)
        program.close()
      }
      state.close()
    })
  }

  test('random graphs: nothing that is alive overlaps', () => {
    const draw = uniform(3)
    const below = (n: number) => Math.floor(draw() * n)
    for (let round = 0; round < 40; round++) {
      const nodes: Node[] = [input('a', [4, 4, 4, 2]), input('b', [4, 4, 4, 2]), input('c', [1])]
      const pick = () => nodes[below(nodes.length)]
      const images = () => nodes.filter(({ shape }) => shape.length === 4)
      const image = () => images()[below(images().length)]
      for (let i = 0; i < 14; i++) {
        const made = [
          () => add(image(), image()),
          () => mul(image(), nodes[2]),
          () => select(less(image(), 0), image(), image()),
          () => averagePool(image(), { window: [3, 3], strides: [1, 1], padding: 'same' }),
          () => relu(convolution(image(), constant(new Float32Array(36), [3, 3, 2, 2]), same)),
          () => mul(image(), sum(pick())),
          () => add(image(), max(image(), { axes: [3], keepDims: true })),
          () => reshape(softmax(reshape(image(), { shape: [16, 8] })), { shape: [4, 4, 4, 2] }),
        ][below(8)]()
        nodes.push(made)
      }
      const outputs = Object.fromEntries(
        nodes
          .slice(3)
          .filter(() => below(4) === 0)
          .map((node, i) => [`y${i}`, node]),
      )
      const plan = schedule({ outputs: { last: nodes[nodes.length - 1], ...outputs }, updates: [] }, { rules })
      const [before, after] = [plan.inputs, plan.outputs].map((values) => Object.values(values).map((v) => v.buffer))
      const stages = engine.lower(plan.steps, new Set(after))
      const { offsets } = planMemory(stages, before, after, rules)
      assert.deepEqual(overlaps(stages, { before, after }, offsets), [])
    }
  })

  test('a network beyond the memory of the engine is E_LIMIT before it runs', async () => {
    const { training, weights } = lenet(65536, { filters: [64, 64], units: 50, side: 56 })
    const state = new State(engine)
    for (const w of weights.slice(0, 4))
      await state.add(String(w.attrs.name), w, () => new Float32Array(w.shape.reduce((p, n) => p * n, 1)))
    const [kernel1, bias1, kernel2, bias2] = training.updates
    const goals = { outputs: training.outputs, updates: [kernel1, bias1, kernel2, bias2] }
    const wanted = failure('E_LIMIT', 'wasm', 'at most', 'smaller batch')
    for (const w of weights.slice(4))
      await state.add(String(w.attrs.name), w, () => new Float32Array(w.shape.reduce((p, n) => p * n, 1)))
    assert.throws(() => compile(state, goals), wanted)
    state.close()
  })
})
