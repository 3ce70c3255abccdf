/** Hinge losses: what is right by a margin of 1 costs nothing. */
import type { Node } from '../../graph/node.ts'
import { add, expression, mul, relu, sub, toFloat } from '../../ops/elementwise.ts'
import { oneHot } from '../../ops/indexing.ts'
import { max, sum } from '../../ops/reduction.ts'
import type { Scalar } from '../../ops/scalar.ts'
import { argument, s, scalar, step } from '../../ops/scalar.ts'
import { areAlike, meanOfSample, valuesLike } from '../per-sample.ts'
import type { Values } from './row.ts'
import { complaintOf, defineLoss, indexTargets, isIndex, isRow, rowTargets } from './row.ts'

const [x, y] = [argument(0), argument(1)]
/** 1 for yes, -1 for no, which may be written as 0 too. */
const side = s.select(step(y), 1, -1)
const short = s.max(s.sub(1, s.mul(side, x)), 0)

/** What hinge losses of yes and no share: a function of what is missing to the margin, and its slope. */
const hingeOf = (label: string, says: string, f: Scalar, slope: Scalar) =>
  defineLoss({
    says,
    options: {},
    head: 'linear',
    yesAbove: 0,
    judgedBy: 'accuracy',
    fits: ({ shape }, output) => areAlike(shape, output),
    needs: "-1 or 1 (or 0 and 1) of the outputs' shape",
    complaint: complaintOf('-1, 0 or 1', (value) => value === 1 || value === 0 || value === -1),
    classes: {
      count: (output) => (output.every((n) => n === 1) ? 2 : undefined),
      of: ({ 0: value }) => (value > 0 ? 1 : 0),
    },
    perSample: (logits, target) =>
      meanOfSample(expression(label, [logits, valuesLike(logits, target)], f, [s.mul(s.neg(side), slope), scalar(0)])),
  })

/** The best of the other classes less the right one, and the margin; the right class takes part with 0, as in Keras. */
function categoricalHinge(logits: Node, row: Node): Node {
  const right = sum(mul(row, logits), { axes: [-1] })
  const others = max(mul(sub(1, row), logits), { axes: [-1] })
  return relu(add(sub(others, right), 1))
}

export const hinges = {
  hinge: hingeOf(
    'hinge',
    'max(1 - target answer, 0) of targets -1 and 1: answers above 0 say yes.',
    short,
    step(short),
  ),
  squaredHinge: hingeOf(
    'squaredHinge',
    'max(1 - target answer, 0)^2 of targets -1 and 1.',
    s.mul(short, short),
    s.mul(2, short),
  ),
  /** Crammer and Singer 2001. */
  categoricalHinge: defineLoss({
    says: 'How far the right class is short of the best other one and a margin of 1; class indices or rows.',
    options: {},
    head: 'linear',
    judgedBy: 'accuracy',
    fits: (target, output) => isIndex(target, output) || isRow(target, output),
    needs: 'one int32 class index or a row [classes] per sample, and outputs [classes]',
    complaint: (target: Values, output) => (target.length === 1 ? indexTargets : rowTargets).complaint(target, output),
    classes: {
      count: ([classes]) => classes,
      of: (target) => (target.length === 1 ? indexTargets : rowTargets).classes.of(target),
    },
    perSample: (logits, target) =>
      categoricalHinge(
        logits,
        target.shape.length === 1 ? oneHot(target, { depth: logits.shape[1] }) : toFloat(target),
      ),
  }),
} as const
