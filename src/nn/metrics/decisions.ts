/** Scores beside the truth in rows and columns, and what is decided by them. */
import type { Node } from '../../graph/node.ts'
import { sizeOf } from '../../graph/shape.ts'
import { broadcastTo, reshape } from '../../ops/broadcasting.ts'
import { greater, less, lessEqual, mul, sub } from '../../ops/elementwise.ts'
import { oneHot } from '../../ops/indexing.ts'
import { slice } from '../../ops/movement.ts'
import { argmax, sum } from '../../ops/reduction.ts'
import { valuesLike } from '../per-sample.ts'
import type { Judged } from './row.ts'
import { classIndex, comparisonOf, saysYesOrNo } from './row.ts'
import { inBlocks } from './totals.ts'

/** Of n samples: a column per class or label, and a row per sample, or per place of a sample with axes. */
export interface Scored {
  /** Answers: [rows, columns]. */
  readonly scores: Node
  /** 0 or 1: [rows, columns]. */
  readonly truth: Node
  /** What each row counts for: [rows]. */
  readonly weights: Node
  readonly samples: number
}

/** Labels are the last axis of the outputs; one number per sample is one label. */
export function scored(judged: Judged, weights: Node): Scored {
  const { answer, target } = judged
  const [samples] = answer.shape
  if (!saysYesOrNo(comparisonOf(judged))) {
    const truth = oneHot(classIndex(target), { depth: answer.shape[1] })
    return { scores: answer, truth, weights, samples }
  }
  const columns = answer.shape.at(-1) as number
  const shape = [sizeOf(answer.shape) / columns, columns]
  const scores = reshape(answer, { shape })
  const truth = reshape(greater(valuesLike(answer, target), 0.5), { shape })
  return { scores, truth, weights: repeated(weights, shape[0] / samples), samples }
}

/** [n] -> [n * count], each in its turn. */
export function repeated(weights: Node, count: number): Node {
  if (count === 1) return weights
  const [n] = weights.shape
  const spread = broadcastTo(reshape(weights, { shape: [n, 1] }), { shape: [n, count] })
  return reshape(spread, { shape: [n * count] })
}

/** All columns as one: every label and class counts alike. */
export function pooled({ scores, truth, weights, samples }: Scored): Scored {
  const [rows, columns] = scores.shape
  const shape = [rows * columns, 1]
  const all = { scores: reshape(scores, { shape }), truth: reshape(truth, { shape }) }
  return { ...all, weights: repeated(weights, columns), samples }
}

export interface Rule {
  /** Scores above it are decided for; when absent the largest score, or the loss's own threshold. */
  readonly threshold?: number | undefined
  /** Only the largest so many are. */
  readonly topK?: number | undefined
}

/** 1 where a score is decided for: [rows, columns]. */
export function decided(judged: Judged, { scores }: Scored, { threshold, topK }: Rule): Node {
  const [rows, columns] = scores.shape
  const above = (least: number): Node => greater(scores, least)
  if (topK !== undefined) {
    const isFirst = amongFirst(reshape(judged.logits, { shape: [rows, columns] }), topK)
    return threshold === undefined ? isFirst : mul(isFirst, above(threshold))
  }
  if (threshold !== undefined) return above(threshold)
  if (saysYesOrNo(comparisonOf(judged))) return above(judged.yesAbove ?? 0.5)
  return oneHot(argmax(judged.logits), { depth: columns })
}

/** 1 where fewer than k scores of the row are larger: ties count for all of them. */
function amongFirst(scores: Node, k: number): Node {
  const [rows, columns] = scores.shape
  const others = reshape(scores, { shape: [rows, 1, columns] })
  const { notLarger } = inBlocks({ count: columns, each: rows * columns, axis: 1 }, (from, size) => {
    const own = slice(scores, { begin: [0, from], size: [rows, size] })
    return { notLarger: sum(lessEqual(others, reshape(own, { shape: [rows, size, 1] })), { axes: [-1] }) } // none where it is NaN
  })
  return less(sub(columns, notLarger), k)
}

/** A column of weights beside rows. */
export const column = (weights: Node): Node => reshape(weights, { shape: [weights.shape[0], 1] })
