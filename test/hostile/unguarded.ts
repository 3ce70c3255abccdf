/** Loads sources with one guard taken away; whatever imports the file is loaded anew, beside the real one. */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Guard } from './guards.ts'

/** Shared by all: complaints must be of the one class. */
const shared = 'src/base/errors.ts'

const taken: Guard[] = []
const plain = new Map<string, string>()

/** JavaScript whose places are those of the TypeScript. */
function stripped(url: string): string {
  const known = plain.get(url) ?? stripTypeScriptTypes(readFileSync(new URL(url), 'utf8'))
  plain.set(url, known)
  return known
}

/** Imports `entry` as it would be without the guard. Call `hooks.deregister()` in the end. */
export function withoutGuard(entry: string, guard: Guard): Promise<Record<string, unknown>> {
  return import(`${pathToFileURL(entry).href}?without=${taken.push(guard) - 1}`)
}

const numberOf = (url: string | undefined): string | undefined => url?.match(/\?without=(\d+)$/)?.[1]

export const startHooks = () =>
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context)
      const number = numberOf(context.parentURL)
      if (number === undefined || !specifier.startsWith('.') || found.url.endsWith(shared)) return found
      return { ...found, url: `${found.url}?without=${number}` }
    },
    load(url, context, next) {
      const number = numberOf(url)
      if (number === undefined) return next(url, context)
      const path = url.replace(/\?.*/, '')
      const source = stripped(path)
      const { file, start, end, without } = taken[Number(number)]
      const isHere = path === pathToFileURL(file).href
      return {
        format: 'module',
        source: isHere ? source.slice(0, start) + without + source.slice(end) : source,
        shortCircuit: true,
      }
    },
  })
