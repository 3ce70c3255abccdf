/** Random numbers in a forward graph: every draw has a stream of its own (see base/random.ts). */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { stream } from '../base/random.ts'
import type { Node } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { wantShape } from '../graph/shape.ts'
import { randomNormal, randomUniform } from '../ops/sampling.ts'

export interface DrawOptions {
  /** [n, ...] as the layer's inputs have it: axis 0 is the samples. */
  readonly shape: Shape
  /** Uniform on [0, 1), or standard normal. Default `'uniform'`. */
  readonly distribution?: 'uniform' | 'normal'
}

const distributions = { uniform: randomUniform, normal: randomNormal } as const

/** Makes a context's `draw`: numbers of `key` (see ops/sampling.ts), each call by the number of a stream that `next` gives. */
export const drawer =
  (key: Node, next: () => number) =>
  (options: DrawOptions): Node => {
    const { shape, distribution = 'uniform' } = (options ?? {}) as DrawOptions
    wantShape(shape, 'draw')
    if (!Object.hasOwn(distributions, distribution)) {
      const expected = Object.keys(distributions).join(', ')
      throw new FoveaError('E_OPTION', { what: 'unknown distribution', expected, got: show(distribution) })
    }
    return distributions[distribution](key, { shape, stream: stream('dropout', next()) })
  }
