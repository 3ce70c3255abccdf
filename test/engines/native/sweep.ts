/**
 * npm run node -- test/engines/native/sweep.ts [--seed n --runs n]: the native engine's convolutions and their gradients over
 * narrow pictures, in both precisions, in memory full of NaN, against the reference engine; 4,800 shapes unless told otherwise.
 * Some of them run with every test (products.test.ts).
 */
import { parseArgs } from 'node:util'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { referenceEngine } from '../../../src/engines/reference/engine.ts'
import { checkNarrow, narrow } from './narrow.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string', default: '4800' } },
})
const [engine, truth] = [nativeEngine({ threads: 2, isPoisoned: true }), referenceEngine()]
const rows = narrow(Number(values.runs), Number(values.seed))
for (const precision of engine.precisions) {
  const wrong: string[] = []
  for (const row of rows)
    await checkNarrow(row, { engine, truth, precision }).catch((error: Error) => {
      wrong.push(`${JSON.stringify(row)}: ${error.message.split('\n', 1)[0]}`)
    })
  console.log(`${precision}: ${wrong.length} of ${rows.length} wrong`)
  for (const line of wrong.slice(0, 20)) console.log(`  ${line}`)
  if (wrong.length > 0) process.exitCode = 1
}
await Promise.all([engine.close(), truth.close()])
