/** What a model answers: rows of numbers per output, and what they mean. */
import { FoveaError } from '../base/errors.ts'
import { integer, settleOne } from '../base/options.ts'
import type { Shape } from '../graph/shape.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Head } from '../nn/heads.ts'
import { classesOf, isBinary } from '../nn/heads.ts'

const classCount = integer({ says: 'classes', min: 0 })
const sampleNumber = integer({ says: 'number of the sample', min: 0 })

/** One class with its probability. */
export interface Ranked {
  readonly index: number
  readonly className: string
  readonly probability: number
}

/** The numbers of one output. */
export interface Rows {
  /** [samples, ...shape of the output] */
  readonly shape: Shape
  readonly data: Float32Array
}

/** What one output says of every sample. */
export class Answer implements Rows {
  readonly shape: Shape
  readonly data: Float32Array
  /** What made the numbers: 'softmax' or 'sigmoid' gives probabilities, 'linear' any numbers. */
  readonly head: Head
  /** One per class; undefined where their number is not the output's number of classes. */
  readonly classNames: readonly string[] | undefined

  constructor({ shape, data }: Rows, head: Head, classNames?: readonly string[]) {
    this.shape = shape
    this.data = data
    this.head = head
    this.classNames = classNames?.length === classesOf(head, shape.slice(1)) ? classNames : undefined
  }

  /** The class of every sample: the index of its largest value; with one probability, 1 where it is above 0.5. */
  get classes(): Int32Array {
    return Int32Array.from({ length: this.shape[0] }, (_, sample) => {
      const values = this.#row(sample)
      return values.reduce((best, value, i) => (value > values[best] ? i : best), 0)
    })
  }

  /** The `count` most probable classes of a sample, best first. Throws E_MODEL where the numbers are not probabilities. */
  top(count: number, sample = 0): Ranked[] {
    settleOne(classCount, count, 'count', 'top')
    settleOne(sampleNumber, sample, 'sample', 'top')
    if (sample >= this.shape[0]) {
      const [expected, got] = [`0 to ${this.shape[0] - 1}`, `${sample}`]
      throw new FoveaError('E_OPTION', { what: "'sample' is the number of no sample", where: 'top', expected, got })
    }
    if (this.head === 'linear') {
      const what =
        'the outputs are not probabilities: the model was not trained on classes, and does not end in softmax'
      const hint = "'data' has the numbers, 'classes' the index of the largest"
      throw new FoveaError('E_MODEL', { what, where: 'top', hint })
    }
    return Array.from(this.#row(sample), (probability, index) => ({
      index,
      className: this.classNames?.[index] ?? String(index),
      probability,
    }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index)
      .slice(0, count)
  }

  /** A value per class. */
  #row(sample: number): Float32Array {
    const [, ...shape] = this.shape
    const width = sizeOf(shape)
    const row = this.data.subarray(sample * width, (sample + 1) * width)
    return isBinary(this.head, shape) && row.length > 0 ? Float32Array.of(1 - row[0], row[0]) : row
  }
}

/** The answers of all outputs by name; its own `data`, `classes` and `top` are those of the only output, or the first. */
export class Prediction implements Rows {
  readonly outputs: Readonly<Record<string, Answer>>
  readonly classNames: readonly string[] | undefined

  constructor(
    outputs: Readonly<Record<string, Rows>>,
    about: { heads: Readonly<Record<string, Head>>; classNames?: readonly string[] | undefined },
  ) {
    const { heads, classNames } = about
    const answers = Object.entries(outputs).map(([name, numbers]) => {
      const head = Object.hasOwn(heads, name) ? heads[name] : 'linear'
      return [name, new Answer(numbers, head, classNames)]
    })
    this.outputs = Object.fromEntries(answers)
    this.classNames = classNames
  }

  get #first(): Answer {
    return Object.values(this.outputs)[0]
  }

  get shape(): Shape {
    return this.#first.shape
  }

  get data(): Float32Array {
    return this.#first.data
  }

  /** What made the numbers: 'softmax' or 'sigmoid' gives probabilities, 'linear' any numbers. */
  get head(): Head {
    return this.#first.head
  }

  /** The class of every sample: the index of its largest value; with one probability, 1 where it is above 0.5. */
  get classes(): Int32Array {
    return this.#first.classes
  }

  /** The `count` most probable classes of a sample, best first. Throws E_MODEL where the numbers are not probabilities. */
  top(count: number, sample = 0): Ranked[] {
    return this.#first.top(count, sample)
  }
}
