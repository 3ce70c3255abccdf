/** The truth from outside: what PyTorch says in float64 (test/golden/README.md), on every engine. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import type { ConvolutionAttrs } from '../../src/ops/convolution.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { clip, elementwiseOps, mul, neg } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { oneHot } from '../../src/ops/indexing.ts'
import { batchNorm, logSoftmax, moments, softmax } from '../../src/ops/normalization.ts'
import type { PoolAttrs } from '../../src/ops/pooling.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { mean, sum } from '../../src/ops/reduction.ts'
import { openFast } from '../support/engines.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

interface Judge {
  readonly engine: Engine
  /** Relative error of a result as a whole (assertClose). */
  readonly tolerance: number
  /** What float32 cannot hold: smaller results may be 0. */
  readonly tiny: number
  /** Larger results may be infinite. */
  readonly huge: number
}

const judges: readonly Judge[] = [
  { engine: referenceEngine(), tolerance: 1e-13, tiny: 0, huge: Infinity },
  ...(await openFast()).map((engine) => ({ engine, tolerance: 1e-6, tiny: 2 ** -126, huge: 2 ** 127.999 })),
]
after(() => Promise.all(judges.map(({ engine }) => engine.close())))

/** A result and a gradient of `of`, weighted by dy, against the golden ones. */
async function judge(
  { engine, tolerance }: Judge,
  outputs: Record<string, Node>,
  values: Record<string, Numbers>,
  wanted: Record<string, Numbers>,
) {
  const got = await evaluate(engine, { outputs }, values)
  for (const [name, truth] of Object.entries(wanted)) assertClose(got[name], truth, tolerance, name)
}

/** The gradients for `wrt` when dy flows into y. */
const flowing = (y: Node, dy: Node, wrt: readonly Node[]): Node[] => gradients(sum(mul(y, dy)), wrt)

for (const who of judges) {
  suite(`golden, ${who.engine.name}: convolution`, () => {
    const file = golden<{ name: string; attrs: ConvolutionAttrs }>('convolution')
    for (const { name, attrs } of file.cases) {
      test(name, async () => {
        const of = (part: string) => file.tensor(`${name}/${part}`)
        const [x, kernel, dy] = ['x', 'kernel', 'dy'].map((part) => input(part, of(part).shape))
        const y = convolution(x, kernel, attrs)
        assert.deepEqual(y.shape, of('y').shape)
        const [dx, dkernel] = flowing(y, dy, [x, kernel])
        const values = { x: of('x').data, kernel: of('kernel').data, dy: of('dy').data }
        await judge(who, { y, dx, dkernel }, values, {
          y: of('y').data,
          dx: of('dx').data,
          dkernel: of('dkernel').data,
        })
      })
    }
  })

  suite(`golden, ${who.engine.name}: pooling`, () => {
    const file = golden<{ name: string; op: 'maxPool' | 'averagePool'; attrs: PoolAttrs }>('pooling')
    for (const { name, op, attrs } of file.cases) {
      test(name, async () => {
        const of = (part: string) => file.tensor(`${name}/${part}`)
        const [x, dy] = ['x', 'dy'].map((part) => input(part, of(part).shape))
        const y = { maxPool, averagePool }[op](x, attrs)
        assert.deepEqual(y.shape, of('y').shape)
        const [dx] = flowing(y, dy, [x])
        await judge(who, { y, dx }, { x: of('x').data, dy: of('dy').data }, { y: of('y').data, dx: of('dx').data })
      })
    }
  })

  suite(`golden, ${who.engine.name}: normalization`, () => {
    const file = golden<{ name: string; epsilon: number; by: 'batch' | 'given'; affine: boolean; offset: number }>(
      'normalization',
    )
    for (const { name, epsilon, by, affine, offset } of file.cases) {
      test(name, async () => {
        const of = (part: string) => file.tensor(`${name}/${part}`)
        const parts = ['x', 'dy', ...(affine ? ['gamma', 'beta'] : []), ...(by === 'given' ? ['mean', 'variance'] : [])]
        const given = Object.fromEntries(parts.map((part) => [part, input(part, of(part).shape)]))
        const { x, dy, gamma, beta, mean, variance } = given
        const own =
          by === 'batch' ? moments(x, { axes: x.shape.map((_, axis) => axis).slice(0, -1) }) : { mean, variance }
        const y = batchNorm(x, { ...own, ...(affine && { gamma, beta }), epsilon })
        const wrt = affine ? { dx: x, dgamma: gamma, dbeta: beta } : { dx: x }
        const flows = flowing(y, dy, Object.values(wrt))
        const outputs = { y, ...Object.fromEntries(Object.keys(wrt).map((key, i) => [key, flows[i]])) }
        const values = Object.fromEntries(parts.map((part) => [part, of(part).data]))
        const tolerance = who.tolerance * Math.max(offset, 1)
        const wanted = Object.fromEntries(Object.keys(outputs).map((key) => [key, of(key).data]))
        await judge({ ...who, tolerance }, outputs, values, wanted)
      })
    }
  })

  suite(`golden, ${who.engine.name}: losses`, () => {
    const file = golden<{
      name: string
      kind: 'elementwise' | 'power' | 'softmax' | 'crossEntropy'
      op: string
      targets: string
      scale?: number
    }>('losses')
    for (const { name, kind, op, targets, scale: given } of file.cases) {
      const of = (part: string) => file.tensor(`${name}/${part}`)
      test(name, async () => {
        if (kind === 'elementwise') {
          const x = input('x', of('x').shape)
          const y = unary[op](x)
          const [dydx] = gradients(sum(y), [x])
          const got = await evaluate(who.engine, { outputs: { y, dydx } }, { x: of('x').data })
          for (const part of ['y', 'dydx']) {
            const scale = given ?? (cancelling.has(`${op} ${part}`) ? 1 : 0)
            assertElements(got[part], of(part).data, { ...who, scale }, `${name} ${part}`, of('x').data)
          }
        } else if (kind === 'power') {
          const [a, b] = ['a', 'b'].map((part) => input(part, of(part).shape))
          const y = elementwiseOps.pow(a, b)
          const [da, db] = gradients(sum(y), [a, b])
          const got = await evaluate(who.engine, { outputs: { y, da, db } }, { a: of('a').data, b: of('b').data })
          const pairs = Array.from(of('a').data, (base, i) => `${base}^${of('b').data[i]}`)
          for (const part of ['y', 'da', 'db']) {
            assertElements(got[part], of(part).data, { ...who, scale: 0 }, `${name} ${part}`, pairs)
          }
        } else if (kind === 'softmax') {
          const [x, dy] = ['x', 'dy'].map((part) => input(part, of(part).shape))
          const y = { softmax, logSoftmax }[op as 'softmax'](x)
          const [dx] = flowing(y, dy, [x])
          await judge(who, { y, dx }, { x: of('x').data, dy: of('dy').data }, { y: of('y').data, dx: of('dx').data })
        } else {
          const logits = input('logits', of('logits').shape)
          const [rows, classes] = logits.shape
          const isSparse = targets === 'sparse'
          const target = isSparse
            ? oneHot(input('t', [rows], 'int32'), { depth: classes })
            : input('t', [rows, classes])
          const losses = neg(sum(mul(target, logSoftmax(logits)), { axes: [-1] }))
          const loss = mean(losses)
          const [dlogits] = gradients(loss, [logits])
          const values = { logits: of('logits').data, t: of(isSparse ? 'labels' : 'targets').data }
          const wanted = { rows: of('rows').data, loss: of('loss').data, dlogits: of('dlogits').data }
          await judge(who, { rows: losses, loss, dlogits }, values, wanted)
        }
      })
    }
  })
}

const unary: Readonly<Record<string, (x: Node) => Node>> = {
  ...(elementwiseOps as unknown as Record<string, (x: Node) => Node>),
  clip: (x) => clip(x, -15 / 16, 25 / 16),
}

/** Differences of numbers near 1 (y (1 - y), 1 - y y, exp(x) - 1): their errors are relative to 1, not to themselves. */
const cancelling = new Set(['sigmoid dydx', 'tanh dydx', 'selu y', 'selu dydx', 'erf dydx', 'gelu dydx'])

/** Element by element, each relative to itself: the far ends of a function are as right as its middle. */
function assertElements(
  got: Numbers,
  wanted: Numbers,
  { tolerance, tiny, huge, scale }: Judge & { scale: number },
  what: string,
  x: Numbers | readonly string[],
): void {
  wanted.forEach((truth, i) => {
    const allowed = Math.max(tolerance * Math.max(Math.abs(truth), scale), tiny)
    if (Object.is(got[i], truth) || Math.abs(got[i] - truth) <= allowed) return
    if (Math.abs(truth) > huge && got[i] === Math.sign(truth) * Infinity) return
    assert.fail(`${what} at ${x[i]}: ${got[i]}, not ${truth}`)
  })
}
