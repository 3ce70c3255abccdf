/** Axes of a sample, counted from 1 as Keras counts them: axis 0 is the batch. */
import { FoveaError } from '../../base/errors.ts'
import { integer } from '../../base/options.ts'
import type { Shape } from '../../graph/shape.ts'
import { shapeText } from '../../graph/shape.ts'

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
