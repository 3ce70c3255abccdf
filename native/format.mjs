// node native/format.mjs [--write]: holds native/src to native/.clang-format, or writes it so. Another version of clang-format
// breaks lines elsewhere; without the one that is meant nothing is checked, unless FOVEA_REQUIRE names clang-format.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './toolchain.mjs'

const VERSION = '14'
const sources = fileURLToPath(new URL('src', import.meta.url))
const files = readdirSync(sources).filter((name) => /\.(cc|hpp|inl)$/.test(name))

const { failed, out } = await run('clang-format', ['--version'])
const version = failed ? undefined : out.match(/version (\d+)/)?.[1]
if (version === VERSION) await format(process.argv.includes('--write') ? ['-i'] : ['--dry-run', '--Werror'])
else {
  const here = version === undefined ? 'is not here' : `${version} is here, not ${VERSION}`
  console.error(`native/src: its format is not checked: clang-format ${here} (apt-get install clang-format-${VERSION})`)
  if (process.env.FOVEA_REQUIRE?.split(',').includes('clang-format')) process.exitCode = 1
}

async function format(options) {
  const { failed, said } = await run('clang-format', [...options, ...files.map((name) => join(sources, name))])
  if (!failed) return
  const lines = said.split('\n').filter((line) => line.includes(': error: '))
  console.error(
    `${(lines.length > 0 ? lines : [said]).join('\n')}\nnative/src is not formatted: npm run node -- native/format.mjs --write`,
  )
  process.exitCode = 1
}
