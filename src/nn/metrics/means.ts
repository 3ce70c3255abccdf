/** Metrics that are means over samples. */
import { FoveaError } from '../../base/errors.ts'
import { integer, number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { abs, equal, greater, less, lessEqual, select, square, sub } from '../../ops/elementwise.ts'
import { oneHot } from '../../ops/indexing.ts'
import { argmax, sum } from '../../ops/reduction.ts'
import { meanOfSample, valuesLike } from '../per-sample.ts'
import type { Comparison, Judged } from './row.ts'
import { classIndex, defineMean, isElementwise, tellsClasses } from './row.ts'

const largestIsRight = ({ logits, target }: Judged): Node => equal(argmax(logits), classIndex(target))
const sideIsRight = ({ answer, target }: Judged, threshold: number): Node =>
  meanOfSample(equal(greater(answer, threshold), greater(valuesLike(answer, target), 0.5)))

/** The threshold between yes and no that the loss has settled. */
const sides = ({ head, yesAbove }: Pick<Comparison, 'head' | 'yesAbove'>): number | undefined =>
  yesAbove ?? (head === 'sigmoid' ? 0.5 : undefined)

/** What all metrics of a difference share. */
const ofErrors = (says: string, of: (error: Node) => Node) =>
  defineMean({
    says,
    better: 'less',
    options: {},
    fits: isElementwise,
    needs: "targets of the outputs' shape",
    perSample: ({ answer, target }) => meanOfSample(of(sub(answer, valuesLike(answer, target)))),
  })

export const means = {
  accuracy: defineMean({
    says: 'Share that is right: the largest output, or the side of 0.5 after binaryCrossentropy, of 0 after a hinge loss.',
    better: 'more',
    options: {},
    fits: (comparison) => (sides(comparison) === undefined ? tellsClasses(comparison) : isElementwise(comparison)),
    needs: 'classes: outputs [classes], or a loss of yes and no such as binaryCrossentropy',
    perSample: (judged) => {
      const threshold = sides(judged)
      return threshold === undefined ? largestIsRight(judged) : sideIsRight(judged, threshold)
    },
  }),
  binaryAccuracy: defineMean({
    says: 'Share of answers that are on the right side of a threshold.',
    better: 'more',
    options: { threshold: number({ says: 'answers above it mean 1', default: 0.5 }) },
    fits: isElementwise,
    needs: "targets of the outputs' shape",
    perSample: (judged, { threshold }) => sideIsRight(judged, threshold),
  }),
  /** Ties count for the sample, as in TensorFlow's in_top_k: only larger outputs rank above the right class. */
  topKAccuracy: defineMean({
    says: 'Share of samples with fewer than k outputs larger than that of the right class.',
    better: 'more',
    options: { k: integer({ says: 'places that count as right', min: 1, default: 5 }) },
    fits: tellsClasses,
    needs: 'outputs [classes]',
    logName: ({ k }) => `top${k}Accuracy`,
    perSample: ({ logits, target }, { k }) => {
      const classes = logits.shape[1]
      if (k > classes) {
        const [expected, got] = [`at most ${classes}, the classes`, `${k}`]
        throw new FoveaError('E_OPTION', { what: "'k' is wrong", where: 'topKAccuracy', expected, got })
      }
      const own = sum(select(oneHot(classIndex(target), { depth: classes }), logits, 0), { axes: [-1], keepDims: true })
      const notLarger = sum(lessEqual(logits, own), { axes: [-1] }) // none where it is NaN
      return less(sub(classes, notLarger), k)
    },
  }),
  meanSquaredError: ofErrors('Mean of the squares of the errors.', square),
  meanAbsoluteError: ofErrors('Mean of the absolute errors.', abs),
} as const
