/** Elementwise steps: any expressions over inputs that broadcast, in one loop. */
import type { ElementwiseStep } from '../../../compile/step.ts'
import { mayOverwrite } from '../../../compile/step.ts'
import type { StorageDType } from '../../../graph/dtype.ts'
import type { Shape } from '../../../graph/shape.ts'
import { sizeOf, walk } from '../../../graph/shape.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import type { Code } from '../assembler.ts'
import { render } from '../expression.ts'
import type { Local } from '../function.ts'
import { i32 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { loadFloats, loadSplat, overRun, storeFloats } from '../vectors.ts'

interface ElementwiseShape {
  /** Sizes after merging neighbouring axes that all inputs walk alike; a single run counts as [0], its length is in the units. */
  readonly sizes: Shape
  readonly inputs: readonly { readonly dtype: StorageDType; readonly strides: readonly number[] }[]
  readonly expressions: readonly Scalar[]
}

const loop = defineKernel<ElementwiseShape>(
  'elementwise',
  ({ sizes, inputs, expressions }) =>
    (f, pointers, begin, end) => {
      const width = sizes[sizes.length - 1]
      const outer = sizes.slice(0, -1)
      const unit = f.local('i32')
      const sources = pointers.slice(0, inputs.length)
      const targets = pointers.slice(inputs.length)

      /** Computes one vector from the bases given, at byte `at + offset` of float operands. */
      const vector = (
        bases: readonly Local[],
        outputs: readonly Code[],
        at: Code,
        offset: number,
        lanes: number,
      ): Code => {
        const { code, results } = render(f, expressions, (index) => {
          const { dtype, strides } = inputs[index]
          const base = bases[index].get
          if (strides[strides.length - 1] === 0) return loadSplat(dtype, base)
          const scale = dtype === 'uint8' ? 4 : 1
          const place = scale === 4 ? i32.add(base, i32.shr(at, i32.const(2))) : i32.add(base, at)
          return loadFloats(dtype, place, offset / scale)
        })
        return [code, results.map((result, i) => storeFloats(i32.add(outputs[i], at), result, lanes, offset))]
      }

      if (outer.length === 0) {
        const at = f.local('i32')
        const body = vector(
          sources,
          targets.map((t) => t.get),
          at.get,
          0,
          4,
        ) // the last vector may run into the buffer's slack
        return f.loop(unit, begin.get, end.get, 1, [at.set(i32.mul(unit.get, 16)), body])
      }
      const bases = inputs.map(() => f.local('i32'))
      const rows = targets.map(() => f.local('i32'))
      const setBases = inputs.map(({ dtype, strides }, i) => {
        let rest: Code = unit.get
        let offset: Code = i32.const(0)
        for (let axis = outer.length - 1; axis >= 0; axis--) {
          const step = strides[axis] * (dtype === 'uint8' ? 1 : 4)
          if (step !== 0) offset = i32.add(offset, i32.mul(axis > 0 ? i32.rem(rest, outer[axis]) : rest, step))
          rest = i32.div(rest, outer[axis])
        }
        return bases[i].set(i32.add(sources[i].get, offset))
      })
      const setRows = targets.map((target, i) => rows[i].set(i32.add(target.get, i32.mul(unit.get, width * 4))))
      const run = overRun(f, width, (at, offset, lanes) =>
        vector(
          bases,
          rows.map((r) => r.get),
          at,
          offset,
          lanes,
        ),
      )
      return f.loop(unit, begin.get, end.get, 1, [setBases, setRows, run])
    },
)

/** The stage of an elementwise step. */
export function elementwiseStage(step: ElementwiseStep): WasmStage {
  const { shape, inputs, expressions, outputs } = step
  const { sizes, strides } = walk(
    shape,
    inputs.map((x) => x.shape),
  )
  const whole = sizes.length === 1
  const total = sizeOf(sizes)
  return loop(
    {
      sizes: whole ? [0] : sizes,
      inputs: inputs.map((x, i) => ({ dtype: x.dtype, strides: strides[i] })),
      expressions,
    },
    {
      reads: inputs.map((x) => x.buffer),
      writes: outputs.map((x) => x.buffer),
      inPlace: mayOverwrite(step), // an operand with as many bytes as a result is not repeated: element i needs its element i
      units: whole ? Math.ceil(total / 4) : total / sizes[sizes.length - 1],
      work: (whole ? 4 : sizes[sizes.length - 1]) * 4,
    },
  )
}
