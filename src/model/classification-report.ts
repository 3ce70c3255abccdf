/** How the classes of an output fare, as data and as the table that scikit-learn prints. */
import { printable } from '../base/printable.ts'
import { countedIn } from '../network/measures.ts'
import type { Term } from '../network/objective.ts'
import { counted } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import type { Confusion } from '../nn/metrics/agreement.ts'
import { confusionOf, marginsOf, rightOf } from '../nn/metrics/agreement.ts'
import type { Average, Counts } from '../nn/metrics/counts.ts'
import { averaged, countsOf, fBetaOf, precisionOf, recallOf } from '../nn/metrics/counts.ts'
import { ratio, total } from '../nn/metrics/totals.ts'
import type { Logs } from '../training/history.ts'
import type { EvaluateOptions } from '../training/inference.ts'
import { tallied } from '../training/inference.ts'
import type { Tally } from '../training/tally.ts'
import type { Task } from '../training/task.ts'

/** Precision, recall and F1 of a class, or an average of them; how many samples are of it, or what they count for in all. */
export interface Scores {
  readonly precision: number
  readonly recall: number
  readonly f1Score: number
  readonly support: number
}

export interface ClassScores extends Scores {
  readonly index: number
  readonly className: string
}

/** More classes than this have their matrix as data only. */
const MATRIX = 20

export class ClassificationReport {
  readonly output: string
  readonly samples: number
  readonly classes: readonly ClassScores[]
  /** How many of each true class (rows) were decided to be of each class (columns); undefined for several labels per sample. */
  readonly confusion: readonly (readonly number[])[] | undefined
  /** Share of what was decided rightly; undefined for several labels per sample. */
  readonly accuracy: number | undefined
  /** Of all counts together: for classes it is the accuracy. */
  readonly microAverage: Scores
  /** The mean over classes. */
  readonly macroAverage: Scores
  /** The mean over classes, weighted by support. */
  readonly weightedAverage: Scores
  /** What `evaluate` gives. */
  readonly logs: Logs

  constructor(
    tally: Tally,
    { output, counted }: Required<Pick<Term, 'output' | 'counted'>>,
    classNames?: readonly string[],
  ) {
    const sums = countedIn(tally.sums)
    const matrix = counted === 'classes' ? confusionOf(sums) : undefined
    const counts = matrix ? countsIn(matrix) : countsOf(sums)
    const nameOf = (i: number): string => (classNames?.length === counts.length ? classNames[i] : String(i))
    this.output = output
    this.samples = tally.samples
    this.classes = counts.map((own, index) => ({
      index,
      className: nameOf(index),
      ...scoresOf((score) => score(own), own.support),
    }))
    this.confusion = matrix && rowsOf(matrix)
    this.accuracy = matrix && ratio(rightOf(matrix), total(matrix.counts))
    const support = total(counts.map((own) => own.support))
    const over = (average: Average): Scores => scoresOf((score) => averaged(counts, average, score), support)
    this.microAverage = over('micro')
    this.macroAverage = over('macro')
    this.weightedAverage = over('weighted')
    this.logs = tally.means
  }

  /** The table, and the matrix of up to 20 classes. Names are escaped: nothing in them commands a terminal. */
  toString(): string {
    const rows = this.classes.map((own) => scoreRow(printable(own.className), own))
    const whole =
      this.accuracy === undefined
        ? [scoreRow('micro avg', this.microAverage)]
        : [accuracyRow(this.accuracy, this.microAverage)]
    const averages = [
      ...whole,
      scoreRow('macro avg', this.macroAverage),
      scoreRow('weighted avg', this.weightedAverage),
    ]
    const lines = columns([['', 'precision', 'recall', 'f1-score', 'support'], ...rows, ...averages])
    const [title, ...others] = lines
    const table = [title, '', ...others.slice(0, rows.length), '', ...others.slice(rows.length)]
    return [...table, ...this.#matrixLines()].join('\n')
  }

  #numbered(i: number): string {
    const name = printable(this.classes[i].className)
    return name === String(i) ? name : `${i} ${name}`
  }

  #matrixLines(): string[] {
    if (!this.confusion || this.confusion.length > MATRIX) return []
    const numbers = this.classes.map(({ index }) => String(index))
    const rows = this.confusion.map((row, i) => [this.#numbered(i), ...row.map(countText)])
    return ['', 'confusion: true classes down, decided ones across', ...columns([['', ...numbers], ...rows])]
  }
}

/** One pass over the data, by which everything is counted. */
export async function reportOn(
  session: Session,
  task: Task,
  {
    output,
    classNames,
    ...how
  }: EvaluateOptions & { readonly output?: string | undefined; readonly classNames: readonly string[] | undefined },
): Promise<ClassificationReport> {
  const [term, objective] = counted(session.network, task, output)
  const tally = await tallied(session, { ...task, objective }, how)
  return new ClassificationReport(tally, term, classNames ?? task.data.classNames)
}

const scoresOf = (of: (score: (counts: Counts) => number) => number, support: number): Scores => ({
  precision: of(precisionOf),
  recall: of(recallOf),
  f1Score: of((counts) => fBetaOf(counts)),
  support,
})

function countsIn(matrix: Confusion): Counts[] {
  const { support, decided } = marginsOf(matrix)
  const { classes, counts } = matrix
  return Array.from(support, (own, i) => ({ hits: counts[i * classes + i], decided: decided[i], support: own }))
}

const rowsOf = ({ classes, counts }: Confusion): number[][] =>
  Array.from({ length: classes }, (_, i) => Array.from(counts.subarray(i * classes, (i + 1) * classes)))

/** Whole numbers as they are; weighted ones with two digits. */
const countText = (count: number): string => (Number.isInteger(count) ? String(count) : count.toFixed(2))

const scoreRow = (name: string, { precision, recall, f1Score, support }: Scores): string[] => [
  name,
  ...[precision, recall, f1Score].map((score) => score.toFixed(4)),
  countText(support),
]
const accuracyRow = (accuracy: number, { support }: Scores): string[] => [
  'accuracy',
  '',
  '',
  accuracy.toFixed(4),
  countText(support),
]

/** Rows of cells, right-aligned, as wide as the widest of their column. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  return rows.map((row) => row.map((cell, i) => cell.padStart(widths[i])).join('  '))
}
