/** npm run node -- scripts/instructions.ts: writes native/src/instructions.hpp from the table of src/engines/native/instructions.ts. */
import { writeFileSync } from 'node:fs'
import { instructionsHeader } from '../src/engines/native/instructions.ts'

writeFileSync(new URL('../native/src/instructions.hpp', import.meta.url), instructionsHeader())
