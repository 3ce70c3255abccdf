/** What a model answers: rows of numbers per output, and what they mean. */
import type { Shape } from '../graph/shape.ts'
import { sizeOf } from '../graph/shape.ts'

export interface Answer {
  /** [samples, ...shape of the output] */
  readonly shape: Shape
  readonly data: Float32Array
}

/** One class with its probability. */
export interface Ranked {
  readonly index: number
  readonly className: string
  readonly probability: number
}

export class Prediction implements Answer {
  readonly outputs: Readonly<Record<string, Answer>>
  readonly classNames: readonly string[] | undefined

  constructor(outputs: Readonly<Record<string, Answer>>, classNames: readonly string[] | undefined) {
    this.outputs = outputs
    this.classNames = classNames
  }

  /** The only output's, or the first one's. */
  get shape(): Shape {
    return Object.values(this.outputs)[0].shape
  }

  get data(): Float32Array {
    return Object.values(this.outputs)[0].data
  }

  /** The class of every sample: the index of its largest value. */
  get classes(): Int32Array {
    const { data } = this
    const width = sizeOf(this.shape.slice(1))
    return Int32Array.from({ length: this.shape[0] }, (_, row) => {
      const values = data.subarray(row * width, (row + 1) * width)
      return values.reduce((best, value, i) => (value > values[best] ? i : best), 0)
    })
  }

  /** The `count` most probable classes of a sample, best first. */
  top(count: number, sample = 0): Ranked[] {
    const width = sizeOf(this.shape.slice(1))
    const row = this.data.subarray(sample * width, (sample + 1) * width)
    return Array.from(row, (probability, index) => ({
      index,
      className: this.classNames?.[index] ?? String(index),
      probability,
    }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index)
      .slice(0, count)
  }
}
