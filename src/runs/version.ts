import { readFileSync } from 'node:fs'

/** Fovea's version, as package.json has it: it is two folders up in the sources and in the built package. */
export function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}
