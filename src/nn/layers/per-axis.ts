/**
 * What layers of one family share, for samples of 1 to 3 spatial axes: a family is a function of the rank, and its options say
 * one number for all axes or one for each.
 */
import { FoveaError } from '../../base/errors.ts'
import type { Option, Sizes } from '../../base/options.ts'
import type { Shape } from '../../graph/shape.ts'
import { shapeText } from '../../graph/shape.ts'

export { perAxis } from '../../ops/arguments.ts'

/** Spatial axes of a sample. */
export type Rank = 1 | 2 | 3

/** What a family calls its samples. */
interface RankWords {
  readonly samples: string
  readonly axes: readonly string[]
  /** An example for whom it may help. */
  readonly example: Shape
}

const words: Readonly<Record<Rank, RankWords>> = {
  1: { samples: 'sequences', axes: ['length'], example: [784, 1] },
  2: { samples: 'images', axes: ['height', 'width'], example: [28, 28, 1] },
  3: { samples: 'volumes', axes: ['depth', 'height', 'width'], example: [16, 28, 28, 1] },
}

/** `images` */
export const samplesOf = (rank: Rank): string => words[rank].samples

/** `height and width` */
export const axesText = (rank: Rank): string => words[rank].axes.join(', ').replace(/, (\w+)$/, ' and $1')

/** `[height, width` and what follows, for a kernel's shape. */
export const kernelText = (rank: Rank, ...rest: readonly string[]): string =>
  `[${[...words[rank].axes, ...rest].join(', ')}]`

/** The option of sizes with as many entries as there are axes. */
export function ofRank<O extends Option<Sizes | undefined>>(rank: Rank, option: O): O {
  const accepts = option.accepts.replace('one per spatial axis', `[${words[rank].axes.join(', ')}]`)
  const check = (value: unknown) => (Array.isArray(value) && value.length !== rank ? undefined : option.check(value))
  return { ...option, accepts, check }
}

/** Channels of a sample [...spatial, channels]; one of another rank is refused. */
export function channelsOf(shape: Shape, rank: Rank): number {
  if (shape.length === rank + 1) return shape[rank]
  const { samples, axes, example } = words[rank]
  throw new FoveaError('E_SHAPE', {
    what: `needs ${samples} [${[...axes, 'channels'].join(', ')}]`,
    got: shapeText(shape),
    hint: `reshape the input, as in reshape({ targetShape: ${shapeText(example)} })`,
  })
}
