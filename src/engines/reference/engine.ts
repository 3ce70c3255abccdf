/** The reference engine: one thread, float64, everything as it is written. For teaching, debugging and judging the others. */
import { FoveaError } from '../../base/errors.ts'
import type { Engine, Executable, Layout, Numbers, Resident } from '../../compile/engine.ts'
import type { Buffer, ElementwiseStep, KernelStep, Step, Value } from '../../compile/step.ts'
import { readsOf, titleOf, unlimited } from '../../compile/step.ts'
import type { DType, StoredSpec, TensorSpec } from '../../graph/dtype.ts'
import { dtypes, roundToBfloat16 } from '../../graph/dtype.ts'
import type { Attrs } from '../../graph/node.ts'
import { sameShape, sizeOf } from '../../graph/shape.ts'
import type { KernelName } from '../../ops/index.ts'
import type { Scalar, ScalarFn } from '../../ops/scalar.ts'
import { scalarFns } from '../../ops/scalar.ts'
import type { Tensor } from './kernels/context.ts'
import { kernels } from './kernels/index.ts'

/** Numbers as the surface sees them: float32 stays float64 here, the others are what they are. */
const surface = (data: Float64Array, dtype: DType): Numbers =>
  dtype === 'float32' ? data.slice() : dtypes[dtype].array.from(data)

interface ReferenceResident extends Resident {
  readonly data: Float64Array
}

export function referenceEngine(): Engine<Step> {
  let isClosed = false
  const check = (): void => {
    if (isClosed) throw new FoveaError('E_CLOSED', { what: 'the engine was closed' })
  }
  return {
    name: 'reference',
    threads: 1,
    description: 'plain loops in float64, one thread',
    memoryLimit: 2 ** 31,
    memoryRules: { alignment: 8, slack: 0, inPlace: true },
    precisions: ['float32', 'mixed_bfloat16'],
    limits: unlimited,
    get isOpen() {
      return !isClosed
    },
    lower: (steps) =>
      steps.map((step) => ({
        reads: readsOf(step).map((x) => x.buffer),
        writes: step.outputs.map((x) => x.buffer),
        code: step,
      })),
    create: (spec) => createResident(spec, check),
    load: (layout, residents) => load(layout, residents as ReadonlyMap<string, ReferenceResident>, check),
    close: async () => {
      isClosed = true
    },
  }
}

function createResident(spec: TensorSpec, checkEngine: () => void): ReferenceResident {
  const data = new Float64Array(sizeOf(spec.shape))
  let isClosed = false
  const check = (): void => {
    checkEngine()
    if (isClosed) throw new FoveaError('E_CLOSED', { what: 'the tensor was closed' })
  }
  return {
    spec,
    data,
    get isClosed() {
      return isClosed
    },
    async read() {
      check()
      return surface(data, spec.dtype)
    },
    async write(values) {
      check()
      data.set(values)
    },
    close() {
      isClosed = true
    },
  }
}

function load(layout: Layout<Step>, residents: ReadonlyMap<string, ReferenceResident>, check: () => void): Executable {
  const arena = new Map<Buffer, Float64Array>()
  const dataOf = ({ buffer, shape }: Value): Float64Array => {
    const { home } = buffer
    if (home.in === 'state') return (residents.get(home.name) as ReferenceResident).data
    let data = arena.get(buffer)
    if (!data) {
      data = home.in === 'constant' ? Float64Array.from(home.value) : new Float64Array(sizeOf(shape))
      arena.set(buffer, data)
    }
    return data
  }
  const tensorOf = (value: Value): Tensor => ({ shape: value.shape, data: dataOf(value) })
  let seconds: Float64Array | undefined
  return {
    ready: Promise.resolve(),
    bytes: bytesIn(layout),
    async run(inputs) {
      check()
      for (const [name, value] of Object.entries(layout.inputs)) dataOf(value).set(inputs[name])
      for (const [i, { code }] of layout.stages.entries()) {
        const start = seconds ? performance.now() : 0
        if (code.kind === 'elementwise') runElementwise(code, tensorOf)
        else runKernel(code, tensorOf)
        for (const output of code.outputs) if (output.dtype === 'bfloat16') roundAll(dataOf(output))
        if (seconds) seconds[i] += (performance.now() - start) / 1000
      }
      return Object.fromEntries(
        Object.entries(layout.outputs).map(([name, value]) => [name, surface(dataOf(value), value.dtype)]),
      )
    },
    async profile() {
      check()
      const times = (seconds ??= new Float64Array(layout.stages.length))
      return layout.stages.map(({ code }, i) => ({ name: titleOf(code), seconds: times[i] }))
    },
    close: () => arena.clear(),
  }
}

/** All buffers of a program, a place each, in float64. */
function bytesIn({ stages }: Layout<Step>): number {
  const values = stages.flatMap(({ code }) => [...readsOf(code), ...code.outputs])
  const sizes = new Map(values.map(({ buffer, shape }) => [buffer, buffer.home.in === 'state' ? 0 : sizeOf(shape)]))
  return [...sizes.values()].reduce((sum, size) => sum + 8 * size, 0)
}

/** What is stored as bfloat16 has its digits, though here it is kept in float64 as everything is. */
function roundAll(data: Float64Array): void {
  for (let i = 0; i < data.length; i++) data[i] = roundToBfloat16(data[i])
}

/** Evaluates expressions over inputs broadcast to `shape`, a function at a time; what they share is computed once. */
function evaluateAll(
  expressions: readonly Scalar[],
  inputs: readonly Tensor[],
  shape: readonly number[],
): Float64Array[] {
  const size = sizeOf(shape)
  const done = new Map<Scalar | number, Float64Array>()
  const over = (x: Scalar): Float64Array => {
    if (x.kind === 'constant') return new Float64Array(size).fill(x.value)
    const key = x.kind === 'argument' ? x.index : x
    const known = done.get(key)
    if (known) return known
    const result = x.kind === 'argument' ? broadcast(inputs[x.index], shape) : applied(x.fn, x.inputs.map(over))
    done.set(key, result)
    return result
  }
  return expressions.map(over)
}

function applied(fn: ScalarFn, operands: readonly Float64Array[]): Float64Array {
  const [a, b, c] = operands
  const f = scalarFns[fn] as (a: number, b: number, c: number) => number
  return a.map((value, i) => f(value, b?.[i], c?.[i]))
}

function broadcast({ shape: own, data }: Tensor, shape: readonly number[]): Float64Array {
  if (sameShape(own, shape)) return data.slice() // the result may be written over it
  const result = new Float64Array(sizeOf(shape))
  kernels.broadcastTo([{ shape: own, data }], result, { shape }, { shape, dtype: 'float32' })
  return result
}

function runElementwise(
  { shape, inputs, expressions, outputs }: ElementwiseStep,
  tensorOf: (value: Value) => Tensor,
): void {
  const results = evaluateAll(expressions, inputs.map(tensorOf), shape)
  for (const [i, output] of outputs.entries()) tensorOf(output).data.set(results[i])
}

function runKernel(
  { op, attrs, inputs, head, tail, outputs: [output] }: KernelStep,
  tensorOf: (value: Value) => Tensor,
): void {
  let operands = inputs.map(tensorOf)
  if (head) operands = [{ shape: head.spec.shape, data: evaluateAll([head.f], operands, head.spec.shape)[0] }]
  const y = tensorOf(output)
  const kernel = kernels[op.opName as KernelName] as (
    x: readonly Tensor[],
    y: Float64Array,
    attrs: Attrs,
    spec: StoredSpec,
  ) => void
  kernel(operands, y.data, attrs, output)
  if (tail)
    y.data.set(
      evaluateAll(
        [tail.f],
        [{ shape: output.shape, data: y.data.slice() }, ...tail.extras.map(tensorOf)],
        output.shape,
      )[0],
    )
}
