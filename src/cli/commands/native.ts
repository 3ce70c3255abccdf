/** Builds the native engine where Fovea is installed; `npm install` never compiles anything. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { exitCodes } from '../../base/errors.ts'
import { defineCommand } from '../command.ts'

export const native = defineCommand({
  says: 'Build the native engine here, with g++ and oneDNN (libdnnl-dev)',
  arguments: [],
  options: {},
  examples: ['fovea native'],
  async run() {
    const script = fileURLToPath(new URL('../../../native/build.mjs', import.meta.url))
    const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' })
    return status === 0 ? 0 : exitCodes.capability
  },
})
