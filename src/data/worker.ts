/** A thread that reads batches: it has a dataset of its own, made of a description, and fills what it is sent. */
import { parentPort } from '#platform'
import { FoveaError } from '../base/errors.ts'
import { arraysOf, buffersOf } from './batch.ts'
import type { Dataset } from './dataset.ts'
import type { FromReadingThread, SentError, ToReadingThread } from './reading-protocol.ts'
import { openSource } from './sources.ts'

const port = parentPort()
const tell = (message: FromReadingThread, buffers: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, buffers)

type Message<T extends ToReadingThread['type']> = Extract<ToReadingThread, { readonly type: T }>

const crew: {
  opened?: Message<'open'> & { readonly dataset: Promise<Dataset> }
  /** One read at a time, as the contract of `read` has it. */
  last: Promise<void>
  pass: number
  /** Of the pass under way; those before it were given up. */
  control: AbortController
} = { last: Promise.resolve(), pass: 0, control: new AbortController() }

async function read({ id, pass, indices, buffers, reading }: Message<'read'>): Promise<void> {
  try {
    const { opened } = crew
    if (!opened) throw new FoveaError('E_BUG', { what: 'a thread was asked to read before it knew of what' })
    const signal = signalOf(pass)
    signal.throwIfAborted()
    const batch = arraysOf(opened, buffers)
    await (await opened.dataset).read(indices, batch, { ...reading, signal })
    const filled = buffersOf(batch)
    tell({ type: 'done', id, buffers: filled }, filled)
  } catch (error) {
    tell({ type: 'failed', id, error: asSent(error) })
  }
}

function signalOf(pass: number): AbortSignal {
  if (pass > crew.pass) Object.assign(crew, { pass, control: new AbortController() })
  return crew.control.signal
}

function asSent(error: unknown): SentError {
  const { name = 'Error', message = String(error) } = (error ?? {}) as Partial<Error>
  if (!(error instanceof FoveaError)) return { name, message }
  const { cause: _, ...complaint } = error.complaint
  return { name, message, code: error.code, complaint }
}

port.listen((received) => {
  const message = received as ToReadingThread
  if (message.type === 'open') {
    const dataset = openSource(message.source)
    dataset.catch(() => {}) // each read throws it
    crew.opened = { ...message, dataset }
  } else if (message.type === 'read') {
    crew.last = crew.last.then(() => read(message))
  } else if (message.pass >= crew.pass) {
    signalOf(message.pass)
    crew.control.abort()
  }
})
