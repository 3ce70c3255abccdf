/**
 * What the bench and those who take part say to each other: a line of JSON each way, one question at a time. Everyone
 * is a process of its own, and does nothing while another has its turn.
 */

export type Mode = 'train' | 'infer'
export type Precision = 'float32' | 'mixed_bfloat16'

/** A network as any framework can read it: uses of layers in order, the first one the input. Shapes are of one sample, [h, w, c]. */
export interface PlainLayer {
  readonly type: string
  readonly name: string
  /** Numbers of earlier entries. */
  readonly inputs: readonly number[]
  readonly shape: readonly number[]
  readonly options: Readonly<Record<string, unknown>>
  /** Windows: along both axes, borders [before, after] as our rule has them. */
  readonly window?: {
    readonly size: readonly number[]
    readonly strides: readonly number[]
    readonly pads: readonly (readonly [number, number])[]
  }
  /** Where its weights lie in the file of weights, in floats; kernels are [h, w, in, out] and [in, out]. */
  readonly weights: Readonly<
    Record<string, { readonly shape: readonly number[]; readonly at: number; readonly trained: boolean }>
  >
}

/** One layer as any framework can make it. */
export interface PlainRow {
  readonly part: 'layers' | 'norms'
  readonly name: string
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
  /** Of its inputs, the batch first. */
  readonly shapes: readonly (readonly number[])[]
  /** Shapes of its weights, in order; the number of an input or weight in [...inputs, ...weights] says its values (`valueAt`). */
  readonly weights: Readonly<Record<string, { readonly shape: readonly number[]; readonly trained: boolean }>>
  /** Whether it draws random numbers: then results are not compared. */
  readonly draws: boolean
}

export interface Task {
  readonly workload: string
  readonly mode: Mode
  readonly batchSize: number
  readonly precision: Precision
  readonly threads: number
  readonly layers: readonly PlainLayer[]
  /** Paths: float32 little endian, one after the other, and the same network as ONNX. */
  readonly weightsFile: string
  readonly onnxFile: string
  /** A layer instead of a network: inferring is its result, training its result and all gradients. */
  readonly row?: PlainRow
}

/** The first line of every process. */
export interface Hello {
  readonly name: string
  readonly version: string
  /** Computing threads; a peer may not have as many as it was asked to take. */
  readonly threads: number
  readonly details?: Readonly<Record<string, unknown>>
}

export interface Prepared {
  /** Ways to do the task; the fastest is measured. */
  readonly settings: readonly string[]
  /** Trained parameters layer by layer, where the peer can tell. */
  readonly parameters: readonly number[]
  /** What is known before the first turn, for the results. */
  readonly facts?: Facts
}

/** What our own engine says of a program. */
export interface Facts {
  /** The engine's own description. */
  readonly runsOn: string
  readonly flopsPerImage: number
  readonly peakBytes: number
  readonly compileMs: number
  readonly firstStepMs: number
}

/** What the engine's own kernels take, where it can tell. */
export interface Profile {
  /** Share of the time, 0 to 1. */
  readonly kernelShare: number
  /** Their names. */
  readonly kernels: readonly string[]
}

export interface Turn {
  readonly images: number
  readonly seconds: number
  /** The most that the engine could do, measured before and after: operations per second. */
  readonly peak?: number
}

/** What can be asked for; the answers are below each question's name. */
export interface Asked {
  readonly prepare: { readonly task: Task }
  /** As prepare, but no more than it takes for one training step, which is taken. */
  readonly first: { readonly task: Task }
  readonly answer: { readonly setting: string }
  readonly turn: { readonly setting: string; readonly seconds: number }
  readonly profile: { readonly setting: string }
  readonly memory: Record<never, never>
  readonly release: Record<never, never>
  readonly epochs: { readonly task: Task; readonly folder: string; readonly setting: string; readonly epochs: number }
  /** Trains a network by hand and with `fit`, one after the other. */
  readonly lowLevel: { readonly first: 'by hand' | 'fit' }
}
export interface Answered {
  readonly prepare: Prepared
  readonly first: { readonly setting: string }
  /** Class probabilities of the first batch; the first numbers of a layer's result. */
  readonly answer: { readonly values: readonly number[] }
  readonly turn: Turn
  readonly profile: Partial<Profile>
  readonly memory: { readonly peakBytes: number }
  readonly release: Record<never, never>
  /** Seconds to read and unpack the files, and of every epoch; the accuracy on what was trained on, in the last. */
  readonly epochs: { readonly readSeconds: number; readonly seconds: readonly number[]; readonly accuracy: number }
  /** Images per second. */
  readonly lowLevel: Readonly<Record<Asked['lowLevel']['first'], number>>
}

/** Pixels of a batch as everybody has them, [n, h, w, c]: neither all alike nor random; labels are 0 to 9 in turn. */
export const pixelAt = (i: number): number => (i * 7919) % 256

/** Element i of a tensor of a layer, by the number of the tensor: within 1, neither all alike nor random. */
export const valueAt = (i: number, tensor: number): number => (((i + tensor) * 7919) % 1024) / 512 - 1
/** So many numbers of a layer's result are compared. */
export const COMPARED = 4096
