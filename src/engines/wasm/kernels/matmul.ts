/** Matrix products by the two product loops; a transposed factor is turned while it is packed. */
import type { Value } from '../../../compile/step.ts'
import type { MatmulAttrs, matmulPrimitives } from '../../../ops/matmul.ts'
import type { WasmStage } from '../kernel.ts'
import type { Kernels, Lower } from './context.ts'
import { scratch, tailBuffers, tailShape, tailStages } from './context.ts'
import { rearranged } from './movement.ts'
import { outerProducts } from './outer-products.ts'
import { pack, panelFloats } from './pack.ts'
import { rowProducts } from './row-products.ts'
import { FEW_ROWS, rowVectors } from './row-vectors.ts'

const transposed = (x: Value): { stage: WasmStage; value: Value } => {
  const [rows, columns] = x.shape
  const value = scratch(columns, rows)
  return { stage: rearranged(x, value, { sizes: [columns, rows], from: [1, columns], to: [rows, 1] }), value }
}

const matmul: Lower<MatmulAttrs> = (step) => {
  const {
    inputs: [a, b],
    output,
    attrs,
  } = step
  const [m, n] = output.shape
  const { transposeA = false, transposeB = false } = attrs
  const k = transposeA ? a.shape[0] : a.shape[1]
  const columns = { groups: 1, count: n, groupStride: 0 }

  if (transposeA && !transposeB) {
    const rows = { outer: [{ count: k, stride: m }], width: 1, stride: m, runs: [], run: m }
    return [
      outerProducts({ rows: inBlocks(rows, k, m), columns }, { x: a.buffer, dy: b.buffer, w: output.buffer }),
      ...tailStages(step),
    ]
  }
  if (m <= FEW_ROWS && !transposeA && !transposeB) {
    const tail = tailShape(step)
    const shape = { rows: m, depth: k, columns: n, ...(tail && { tail }) }
    return rowVectors(shape, { x: a.buffer, matrix: b.buffer, extras: tailBuffers(step), y: output.buffer })
  }
  const turned = transposeA ? transposed(a) : undefined
  const left = turned?.value ?? a
  const panels = scratch(panelFloats(1, n, k))
  const blocks = { nest: [], start: 0, length: k }
  const packing = transposeB
    ? pack({ columns, blocks, depthStride: 1, columnStride: k }, b.buffer, panels.buffer)
    : pack({ columns, blocks, depthStride: n, columnStride: 1 }, b.buffer, panels.buffer)
  const rows = { outer: [], width: m, stride: k, runs: [], run: k }
  const product = rowProducts(
    { rows, columns, tail: tailShape(step) },
    { x: left.buffer, matrix: panels.buffer, extras: tailBuffers(step), y: output.buffer },
  )
  return [...(turned ? [turned.stage] : []), packing, product]
}

/** The rows of a product over the batch: as few outer steps as even blocks allow. */
function inBlocks<R extends object>(rows: R, count: number, stride: number) {
  const width = [16, 8, 4, 2, 1].find((n) => count % n === 0) as number
  return { ...rows, outer: [{ count: count / width, stride: width * stride }], width, stride, runs: [], run: stride }
}

export const matmulKernels: Kernels<typeof matmulPrimitives> = { matmul }
