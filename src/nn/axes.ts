/** Axes as options of layers: one or several, the batch being 0. */
import { FoveaError } from '../base/errors.ts'
import type { Option } from '../base/options.ts'
import { either, integer, list } from '../base/options.ts'
import type { Shape } from '../graph/shape.ts'
import { axisOf, shapeText } from '../graph/shape.ts'

export type Axes = number | readonly number[]

const axis = integer({ says: 'an axis' })
const forms = [axis, list(axis, { says: 'several axes', length: { min: 1 } })] as const

/** `says` is what the axes are for. */
export const axesOption = (says: string): Option<Axes, false> =>
  either(forms, { says: `${says}, the batch being 0; -1 are the channels`, default: -1 })

/** Axes of a batch of this rank, ascending; the batch is none of them. */
export function axesOf(given: Axes, rank: number): number[] {
  const found = [...new Set([given].flat().map((one) => axisOf(one as number, rank)))].sort((a, b) => a - b)
  if (found[0] !== 0) return found
  throw new FoveaError('E_OPTION', { what: "'axis' 0 is the batch", expected: '-1, or 1 and more' })
}

/** An axis of a sample, counted from 1 as Keras counts some: axis 0 is the batch. */
export const sampleAxis = integer({ says: 'an axis of a sample, 1 for the first', min: 1 })

/** Refuses axes that samples of this shape do not have. */
export function wantAxes(axes: readonly number[], option: string, sample: Shape): void {
  const stranger = axes.find((axis) => axis > sample.length)
  if (stranger === undefined) return
  throw new FoveaError('E_SHAPE', {
    what: `'${option}' names an axis that samples do not have`,
    expected: sample.length === 0 ? 'samples with axes' : `1 to ${sample.length}, of samples ${shapeText(sample)}`,
    got: `${stranger}`,
  })
}
