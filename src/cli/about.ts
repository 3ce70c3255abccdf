import { readFileSync } from 'node:fs'

/** What is typed to run the command: in a clone, or where the package is installed. */
export const typed = import.meta.url.endsWith('.ts') ? 'npm run -s fovea --' : 'npx fovea'

/** Fovea's version, as package.json has it: it lies two folders up in the sources and in the built package. */
export function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}
