/** Errors of the fast engines' functions in units in the last place, against Math.* in float64. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { expressionFields } from '../../src/engines/native/expression.ts'
import { assemble } from '../../src/engines/wasm/assembler.ts'
import { render } from '../../src/engines/wasm/expression.ts'
import { FunctionWriter } from '../../src/engines/wasm/function.ts'
import { hasFusedMultiplyAdd } from '../../src/engines/wasm/host.ts'
import { f32x4, i32, v128 } from '../../src/engines/wasm/instructions.ts'
import { mathFunctions } from '../../src/engines/wasm/math.ts'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import type { ElementwiseAttrs } from '../../src/ops/elementwise.ts'
import { elementwiseOps } from '../../src/ops/elementwise.ts'
import { normalCdf as normalShare, erf as trueErf } from '../../src/ops/error-function.ts'
import type { Scalar } from '../../src/ops/scalar.ts'
import * as scalars from '../../src/ops/scalar.ts'
import { available } from '../support/require.ts'
import { theAddon } from './native/descriptions.ts'

const { exp, log, sigmoid, sqrt, tanh, erf, gelu, silu, softplus, mish } = elementwiseOps
const { s, scalarFns } = scalars
const BLOCK = 2 ** 16
const SMALLEST_NORMAL = 2 ** -126
const LARGEST = (2 - 2 ** -23) * 2 ** 127

const argument = input('x', [1])
const expressionOf = (op: (x: Node) => Node): Scalar => (op(argument).attrs as unknown as ElementwiseAttrs).f

type Formula = Scalar | { readonly call: string }
/** A function of blocks of floats: `x` is replaced by its results; a second argument is a number. */
type Maker = (of: Formula, second?: number) => (x: Float32Array) => void | Promise<void>

const onWasm =
  (fused: boolean): Maker =>
  (of, second = 0) => {
    const f = new FunctionWriter(fused)
    const at = f.local('i32')
    const result = f.local('v128')
    const read = v128.load(at.get)
    const { code, results } =
      'call' in of
        ? { code: result.set([read, of]), results: [result] }
        : render(f, [of], (i) => (i === 0 ? read : f32x4.const(second)))
    const body = f.loop(at, i32.const(0), i32.const(BLOCK * 4), 16, [code, v128.store(at.get, results[0].get)])
    const module = assemble([f.finish('run', body, { exported: true }), ...mathFunctions(fused)], { shared: false })
    const memory = new WebAssembly.Memory({ initial: (BLOCK * 4) / 65536 })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } })
    const floats = new Float32Array(memory.buffer)
    return (x) => {
      floats.set(x)
      ;(exports['run'] as () => void)()
      x.set(floats)
    }
  }

function onNative(): Maker {
  const machine = new (theAddon().Engine)(2)
  after(() => machine.close())
  return (of, second = 0) => {
    const [x, number] = [[BLOCK], []].map((shape) => ({ shape, dtype: 'float32' }) as const)
    const fields = expressionFields([BLOCK], [x, number], [of as Scalar], ['float32'])
    const { handle: operation } = machine.operation({ kind: 'elementwise', where: 'a function', ...fields })
    const places = [BLOCK * 4, 4, BLOCK * 4].map((bytes) => ({ in: 'own', bytes }) as const)
    const stages = [{ operation, operands: [0, 1, 2], written: [2] }]
    const { program } = machine.load({ arenaBytes: 0, places, stages })
    return async (values) => {
      const [y] = await machine.run(program, [0, values, 1, Float32Array.of(second)], [2])
      values.set(new Float32Array(y))
    }
  }
}

const { skip } = available('native')
/** FOVEA_NATIVE_LOOPS chooses another set of native loops: test/engines/native/loops.test.ts does. */
const makers: readonly { name: string; make: () => Maker; skip: string | false }[] = [
  ...(hasFusedMultiplyAdd()
    ? [{ name: 'wasm, fused multiply-add', make: () => onWasm(true), skip: false as const }]
    : []),
  { name: 'wasm, two roundings', make: () => onWasm(false), skip: false },
  { name: `native${skip ? '' : `, ${theAddon().info().loops}`}`, make: onNative, skip },
]

/** The distance between floats around `truth`; below the smallest normal number they lie evenly. */
function unit(truth: number): number {
  const size = Math.abs(truth)
  if (size < 2 * SMALLEST_NORMAL) return 2 ** -149
  return 2 ** (Math.floor(Math.log2(size)) - 23)
}

interface Row {
  readonly name: string
  readonly of: Formula
  readonly truth: (x: number) => number
  /** Where it is looked at closely, beside every 2039th float there is. */
  readonly close: readonly (readonly [number, number])[]
  /** Only these inputs count. */
  readonly within?: readonly [number, number]
  /** Measured, rounded up: ulps where the result is a normal number, and multiples of 2^-149 where it is smaller. */
  readonly worst: number
  readonly worstSubnormal: number
}

const positive = [[1e-45, 1e-38], [0.4, 2.5], [0.99, 1.01], [1e-3, 100], [1, 3e38]] as const // biome-ignore format: pairs
const everywhere = [[-104, 89], [-20, 20], [-1, 1], [-0.01, 0.01], [-1e-5, 1e-5], [0.5, 0.75]] as const // biome-ignore format: pairs

/** x is a float, so x / (1 + x) here is right to the last bit of float32. */
const logistic = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)))

const trueSoftplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

const rows: readonly Row[] = [
  { name: 'exp', of: expressionOf(exp), truth: Math.exp, close: everywhere, worst: 1, worstSubnormal: 1 },
  { name: 'log', of: expressionOf(log), truth: Math.log, close: positive, worst: 1, worstSubnormal: 0 },
  { name: 'tanh', of: expressionOf(tanh), truth: Math.tanh, close: everywhere, worst: 1.5, worstSubnormal: 1 },
  { name: 'sqrt', of: expressionOf(sqrt), truth: Math.sqrt, close: positive, worst: 0.5, worstSubnormal: 0 },
  // below -88.7 exp(-x) is infinite and the result 0, though 2^-126 is not reached before -87.3 nor 2^-149 before -103
  {
    name: 'sigmoid',
    of: expressionOf(sigmoid),
    truth: logistic,
    close: everywhere,
    worst: 2.5,
    worstSubnormal: 2 ** 21,
  },
  { name: 'erf', of: expressionOf(erf), truth: trueErf, close: everywhere, worst: 1.5, worstSubnormal: 1 },
  {
    name: 'normalCdf',
    of: s.normalCdf(scalars.argument(0)),
    truth: normalShare,
    close: everywhere,
    worst: 4.5,
    worstSubnormal: 2,
  },
  {
    name: 'gelu',
    of: expressionOf(gelu),
    truth: (x) => x * normalShare(x),
    close: everywhere,
    worst: 8,
    worstSubnormal: 8,
  },
  // below -87.3 as sigmoid
  {
    name: 'silu',
    of: expressionOf(silu),
    truth: (x) => x * logistic(x),
    close: everywhere,
    within: [-87.3, Infinity],
    worst: 2.5,
    worstSubnormal: 1,
  },
  { name: 'softplus', of: expressionOf(softplus), truth: trueSoftplus, close: everywhere, worst: 2, worstSubnormal: 1 },
  {
    name: 'mish',
    of: expressionOf(mish),
    truth: (x) => x * Math.tanh(trueSoftplus(x)),
    within: [-87.3, Infinity],
    close: everywhere,
    worst: 4,
    worstSubnormal: 1,
  },
  ...[1.5, -7].map((power) => ({
    name: `pow(x, ${power})`,
    of: s.pow(scalars.argument(0), power),
    truth: (x: number) => scalarFns.pow(x, power),
    close: positive,
    worst: 0.51,
    worstSubnormal: 1,
  })),
  {
    name: 'pow(2.5, x)',
    of: s.pow(2.5, scalars.argument(0)),
    truth: (x) => 2.5 ** x,
    close: everywhere,
    worst: 0.51,
    worstSubnormal: 1,
  },
  {
    name: 'sine of a turn',
    of: { call: 'sineOfTurn' },
    truth: (x) => Math.sin(2 * Math.PI * x),
    close: [[-0.25, 0.25], [-0.01, 0.01]], // biome-ignore format: pairs
    within: [-0.25, 0.25],
    worst: 2,
    worstSubnormal: 8,
  },
]

/** Every 2039th float, by its bits: all exponents, both signs, subnormal numbers, infinities and NaN. */
function* spread(): Generator<Float32Array> {
  for (let first = 0; first < 2 ** 32; first += 2039 * BLOCK) {
    yield new Float32Array(Uint32Array.from({ length: BLOCK }, (_, i) => first + i * 2039).buffer)
  }
}
const grid = ([low, high]: readonly [number, number]): Float32Array =>
  Float32Array.from({ length: BLOCK }, (_, i) => low + ((high - low) * i) / (BLOCK - 1))

for (const { name: how, make, skip } of makers) {
  suite(`math, ${how}`, { skip }, () => {
    const functionOf = make()
    for (const { name, of, truth, close, within: [from, to] = [-Infinity, Infinity], worst, worstSubnormal } of rows) {
      // of the addon's functions, expressions reach all but this one
      const isInside = 'call' in of && make === onNative
      test(`${name}: at most ${worst} ulp`, {
        skip: isInside && 'test/base/random.test.ts has the numbers',
      }, async (t) => {
        const run = functionOf(of)
        const most = { normal: 0, at: 0, subnormal: 0, below: 0 }
        for (const x of [...close.map(grid), ...spread()]) {
          const y = x.slice()
          await run(y)
          for (let i = 0; i < BLOCK; i++) {
            if (x[i] < from || x[i] > to) continue
            const wanted = truth(x[i])
            if (Object.is(y[i], wanted) || (Number.isNaN(wanted) && Number.isNaN(y[i]))) continue
            const error = Math.abs(y[i] - wanted) / unit(wanted)
            // what rounds to infinity may be infinite
            if (Math.abs(wanted) > LARGEST && Math.abs(y[i]) >= LARGEST && y[i] * wanted > 0) continue
            if (!(error < Infinity)) assert.fail(`${name}(${x[i]}) is ${y[i]}, not ${wanted}`)
            if (Math.abs(wanted) < SMALLEST_NORMAL) {
              if (error > most.subnormal) Object.assign(most, { subnormal: error, below: x[i] })
            } else if (error > most.normal) Object.assign(most, { normal: error, at: x[i] })
          }
        }
        t.diagnostic(
          `${name}: ${most.normal.toFixed(3)} ulp at ${most.at}; subnormal results ${most.subnormal.toFixed(2)} at ${most.below}`,
        )
        assert.ok(most.normal <= worst, `${most.normal} ulp at ${most.at}`)
        assert.ok(most.subnormal <= worstSubnormal, `${most.subnormal} at ${most.below}`)
      })
    }

    test('pow: its corners, to the bit', async () => {
      const bases = [0, -0, 1, -1, 0.5, -3, 1e-45, 3e38, Infinity, -Infinity, NaN]
      const exponents = [0, -0, 1, -1, 3, -3, 4, 0.25, -0.25, 2 ** 24 + 2, 1e10, Infinity, -Infinity, NaN]
      for (const b of exponents) {
        const block = new Float32Array(BLOCK).fill(1)
        block.set(bases)
        await functionOf(s.pow(scalars.argument(0), scalars.argument(1)), b)(block)
        for (const [i, a] of bases.entries()) {
          const wanted = Math.fround(scalarFns.pow(Math.fround(a), b))
          assert.ok(Object.is(block[i], wanted), `${a} ^ ${b} is ${block[i]}, not ${wanted}`)
        }
      }
    })

    test('the ends of the line, to the bit', async () => {
      const smallest = 2 ** -149
      const table: readonly [op: (x: Node) => Node, x: number, y: number][] = [
        [exp, 0, 1],
        [exp, -0, 1],
        [exp, Infinity, Infinity],
        [exp, -Infinity, 0],
        [exp, NaN, NaN],
        [exp, 89, Infinity],
        [exp, -104, 0],
        [exp, smallest, 1],
        [log, 1, 0],
        [log, 0, -Infinity],
        [log, -0, -Infinity],
        [log, Infinity, Infinity],
        [log, -Infinity, NaN],
        [log, -1, NaN],
        [log, NaN, NaN],
        [log, smallest, Math.fround(Math.log(smallest))],
        [tanh, 0, 0],
        [tanh, -0, -0],
        [tanh, smallest, smallest],
        [tanh, -smallest, -smallest],
        [tanh, Infinity, 1],
        [tanh, -Infinity, -1],
        [tanh, NaN, NaN],
        [sqrt, 0, 0],
        [sqrt, -0, -0],
        [sqrt, Infinity, Infinity],
        [sqrt, -1, NaN],
        [sqrt, NaN, NaN],
        [erf, 0, 0],
        [erf, -0, -0],
        [erf, smallest, smallest],
        [erf, Infinity, 1],
        [erf, -Infinity, -1],
        [erf, NaN, NaN],
        [gelu, 0, 0],
        [gelu, -0, -0],
        [gelu, Infinity, Infinity],
        [gelu, NaN, NaN],
        [softplus, -Infinity, 0],
        [softplus, Infinity, Infinity],
        [softplus, NaN, NaN],
        [mish, Infinity, Infinity],
        [mish, NaN, NaN],
        [sigmoid, 0, 0.5],
        [sigmoid, Infinity, 1],
        [sigmoid, -Infinity, 0],
        [sigmoid, NaN, NaN],
      ]
      for (const [op, x, y] of table) {
        const block = new Float32Array(BLOCK).fill(x)
        await functionOf(expressionOf(op))(block)
        assert.ok(Object.is(block[0], y), `${op(argument).attrs.label}(${x}) is ${block[0]}, not ${y}`)
      }
    })
  })
}
