/** What a reader and its threads say to each other. Buffers of batches go back and forth; nothing is copied. */
import type { Complaint, ErrorCode } from '../base/errors.ts'
import type { Description, Fields, Reading } from './dataset.ts'

export type ToReadingThread =
  | {
      readonly type: 'open'
      readonly source: Description
      /** The fields of the batches to come. */
      readonly inputs: Fields
      readonly targets: Fields
    }
  | {
      readonly type: 'read'
      readonly id: number
      /** Those of one pass are given up together. */
      readonly pass: number
      readonly indices: Uint32Array
      /** Those of all fields in their order, inputs first. */
      readonly buffers: readonly ArrayBuffer[]
      readonly reading: Omit<Reading, 'signal'>
    }
  /** What was asked for in this pass is no longer needed. */
  | { readonly type: 'giveUp'; readonly pass: number }

export type FromReadingThread =
  | { readonly type: 'done'; readonly id: number; readonly buffers: readonly ArrayBuffer[] }
  | { readonly type: 'failed'; readonly id: number; readonly error: SentError }

/** An error as data: of ours what it is made of, of others the words. */
export interface SentError {
  readonly name: string
  readonly message: string
  readonly code?: ErrorCode
  readonly complaint?: Complaint
}
