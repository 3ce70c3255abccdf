/** Workers as both platforms give them. */
import { FoveaError } from '../base/errors.ts'
import { messageOf } from '../base/realm.ts'

/** A worker seen from the thread that started it. */
export interface Helper {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void
  /** `onEnd` is called when the worker fails or stops. */
  listen(onMessage: (message: unknown) => void, onEnd: (why: string) => void): void
  /** Keeps the process alive while the worker has something to do; `release` lets it end. */
  hold(): void
  release(): void
  terminate(): void | Promise<void>
}

/** The starting thread seen from a worker. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void
  listen(onMessage: (message: unknown) => void): void
}

/** Makes a worker from a module: `new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })`. */
export type WorkerMaker = new (url: URL, options: { type: 'module'; name?: string }) => Helper

/** A worker that the host lets us make: some refuse at once, others later, and `absent` says so of both. */
export function started(make: () => Helper, absent: (why: string) => FoveaError): Helper {
  try {
    return make()
  } catch (error) {
    throw absent(messageOf(error))
  }
}

/** The error of a worker of `where` that did not start, by what the host says. */
export const notStarted =
  (about: { readonly where: string; readonly hint: string }) =>
  (got: string): FoveaError =>
    new FoveaError('E_ENGINE', { what: 'a worker did not start', got, ...about })
