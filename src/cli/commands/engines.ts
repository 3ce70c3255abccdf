/** Lists what can compute on this machine. */

import { FoveaError } from '../../base/errors.ts'
import { flag } from '../../base/options.ts'
import { messageOf } from '../../base/realm.ts'
import type { Precision } from '../../compile/precision.ts'
import { autoEngine, type EngineName, engineNames, openEngine, engines as rows } from '../../engines/index.ts'
import { aligned } from '../columns.ts'
import { defineCommand } from '../command.ts'

/** An engine as this machine has it. */
interface EngineFacts {
  readonly name: EngineName
  readonly says: string
  readonly available: boolean
  /** Why it is not available. */
  readonly missing?: string
  readonly description?: string
  readonly threads?: number
  readonly precisions?: readonly Precision[]
  /** The one that `--engine auto` takes. */
  readonly auto: boolean
}

export const engines = defineCommand({
  says: 'List the engines: which can compute here, and which one is taken',
  arguments: [],
  options: { json: flag({ says: 'print one JSON object per engine', default: false }) },
  examples: ['fovea engines'],
  async run({ options }, terminal) {
    const auto = await autoEngine().catch((error) => error as FoveaError)
    const facts = await Promise.all(engineNames.map((name) => factsOf(name, name === auto)))
    const lines = options.json ? facts.map((engine) => JSON.stringify(engine)) : aligned(facts.map(rowOf))
    for (const line of lines) terminal.print(line)
    if (auto instanceof FoveaError) throw auto // FOVEA_ENGINE is wrong: the list says what is here
    return 0
  },
})

async function factsOf(name: EngineName, auto: boolean): Promise<EngineFacts> {
  const { says, missing: reason } = rows[name]
  const missing = await reason()
  if (missing !== undefined) return { name, says, available: false, missing, auto }
  try {
    const engine = await openEngine({ engine: name })
    const { description, threads, precisions } = engine
    await engine.close()
    return { name, says, available: true, description, threads, precisions, auto }
  } catch (error) {
    return { name, says, available: false, missing: messageOf(error), auto }
  }
}

function rowOf({ name, missing, description, auto }: EngineFacts): string[] {
  if (missing !== undefined) return [name, 'not here', missing]
  return [name, auto ? 'taken by auto' : 'available', description ?? '']
}
