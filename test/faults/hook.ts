/** `node --import` of this plants the fault of $FOVEA_FAULT, here, in worker threads and in processes started from here. */
import { registerHooks } from 'node:module'
import type { Fault } from './fault.ts'
import { planted, VARIABLE } from './fault.ts'

const fault = JSON.parse(process.env[VARIABLE] || 'null') as Fault | null
if (fault) {
  const target = new URL(`../../${fault.file}`, import.meta.url).href
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source)
      return { ...loaded, source: planted(source, fault) }
    },
  })
}
