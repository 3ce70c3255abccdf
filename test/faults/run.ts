/**
 * `npm run faults`: every planted fault in turn, and the tests that should notice. Not part of `npm test`. After `--`:
 * `--only pattern` (of names and files), `--list`, `--markdown`. Ends with 1 where a fault goes unnoticed.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Fault } from './fault.ts'
import { planted, VARIABLE } from './fault.ts'
import type { Report } from './reporter.ts'
import { MARK } from './reporter.ts'
import { rooms } from './rooms.ts'
import { testFileOf } from './test-file.ts'

const root = new URL('../../', import.meta.url)
const AT_ONCE = 2
/** A fault may make a loop endless: then nobody has noticed. On a busy machine the longest test file takes minutes. */
const LIMIT_MS = 600_000

interface Outcome {
  /** `broken`: nothing was tried, because the module or the test file did not even load. */
  readonly end: 'noticed' | 'not noticed' | 'broken'
  /** The first test that failed, or what went wrong. */
  readonly says: string
  /** How that test failed. */
  readonly why?: string
  readonly seconds: number
}

interface Row {
  readonly room: string
  readonly fault: Fault
}

/** Runs tests, `file` or `file: pattern`, with a fault or with none. */
async function trial(tests: string, fault?: Fault): Promise<Outcome> {
  const { file, pattern } = testFileOf(tests)
  const begin = performance.now()
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--conditions=fovea-source',
      `--test-reporter=${new URL('test/faults/reporter.ts', root).href}`,
      ...(pattern ? [`--test-name-pattern=${pattern}`] : []),
      file,
    ],
    {
      cwd: fileURLToPath(root),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        // inherited by worker threads and by processes that tests start
        NODE_OPTIONS: `--import=${new URL('test/faults/hook.ts', root).href}`,
        [VARIABLE]: fault ? JSON.stringify(fault) : '',
      },
    },
  )
  const said = { out: '', err: '' }
  child.stdout.on('data', (bytes) => (said.out += bytes))
  child.stderr.on('data', (bytes) => (said.err += bytes))
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, LIMIT_MS)
  await new Promise((resolve) => child.on('close', resolve))
  clearTimeout(timer)
  const report = said.out.split('\n').find((line) => line.startsWith(MARK))
  return {
    ...judged(report && JSON.parse(report.slice(MARK.length)), late, said),
    seconds: (performance.now() - begin) / 1000,
  }
}

function judged(
  report: Report | undefined,
  late: boolean,
  { out, err }: { out: string; err: string },
): Omit<Outcome, 'seconds'> {
  if (late) return { end: 'broken', says: `no end within ${LIMIT_MS / 1000} s` }
  if (!report) return { end: 'broken', says: `no test ran: ${(err || out).trim().slice(-300)}` }
  const { passed, failed } = report
  if (!failed)
    return passed > 0
      ? { end: 'not noticed', says: `${passed} tests passed` }
      : { end: 'broken', says: 'no test has such a name' }
  // a name that does not exist, or no syntax, would be noticed by anything
  if (/^(ReferenceError|SyntaxError)/.test(failed.why)) return { end: 'broken', says: `${failed.name}: ${failed.why}` }
  return { end: 'noticed', says: failed.name, why: failed.why }
}

/** Calls `work` for all, `AT_ONCE` at a time. */
async function all<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...list]
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, list: { type: 'boolean' }, markdown: { type: 'boolean' } },
})
const wanted = new RegExp(options.only ?? '', 'i')
const rows: Row[] = Object.entries(rooms)
  .flatMap(([room, faults]) => faults.map((fault) => ({ room, fault })))
  .filter(({ room, fault }) => wanted.test(`${room}: ${fault.name} (${fault.file})`))

for (const { fault } of rows) planted(readFileSync(new URL(fault.file, root), 'utf8'), fault)
const names = rows.map(({ fault }) => fault.name)
const twice = names.find((name, i) => names.indexOf(name) < i)
if (twice) throw new Error(`two faults are called ${twice}`)

if (options.list) {
  for (const { room, fault } of rows)
    console.log(`${room}: ${fault.name} (${fault.file}), by ${fault.tests.join(', ')}`)
  console.log(`${rows.length} faults`)
  process.exit(0)
}

const say = (line: string) => console.error(line)
/** Tests that fail by themselves would notice anything. Those of the zoo take long: only what rows name. */
const wholeOrPart = (tests: string): string =>
  testFileOf(tests).file.endsWith('.zoo.ts') ? tests : tests.split(':')[0]
const files = [...new Set(rows.flatMap(({ fault }) => fault.tests.map(wholeOrPart)))]
await all(files, async (file) => {
  const { end, says, seconds } = await trial(file)
  if (end === 'not noticed') return say(`${file} without a fault: ${says} in ${seconds.toFixed(1)} s`)
  say(`${file} fails without a fault: ${says}`)
  process.exit(2)
})

const outcomes = new Map<Fault, { tests: string; outcome: Outcome }[]>()
await all(rows, async ({ fault }) => {
  const own: { tests: string; outcome: Outcome }[] = []
  outcomes.set(fault, own)
  for (const tests of fault.tests) {
    const outcome = await trial(tests, fault)
    own.push({ tests, outcome })
    const mark = outcome.end === 'noticed' ? 'ok  ' : `${outcome.end.toUpperCase()} `
    const why = outcome.why ? ` (${outcome.why.split('\n')[0].slice(0, 100)})` : ''
    say(`${mark}${fault.name} | ${tests.split(':')[0]}: ${outcome.says}${why} | ${outcome.seconds.toFixed(1)} s`)
  }
})

const ends = [...outcomes.values()].flat().map(({ outcome }) => outcome.end)
const total = `${rows.length} faults in ${new Set(rows.map(({ fault }) => fault.file)).size} files: ${ends.filter((end) => end === 'noticed').length} of ${ends.length} trials noticed`
if (options.markdown) console.log(markdown(total))
else say(total)
process.exit(ends.every((end) => end === 'noticed') ? 0 : 1)

/** The tables of docs/testing.md. */
function markdown(total: string): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
  const tables = Object.keys(rooms).map((room) => {
    const lines = rows.flatMap(({ room: own, fault }) => {
      if (own !== room) return []
      const by = (outcomes.get(fault) ?? []).map(({ tests, outcome }) =>
        outcome.end === 'noticed' ? `${tests.split(':')[0]}: ${outcome.says}` : `**${outcome.end}**: ${outcome.says}`,
      )
      const seconds = (outcomes.get(fault) ?? []).reduce((sum, { outcome }) => sum + outcome.seconds, 0)
      return [
        `| ${cell(fault.name)} | ${fault.file.replace('src/', '')} | ${by.map(cell).join('<br>')} | ${seconds.toFixed(1)} |`,
      ]
    })
    return lines.length > 0
      ? `### ${room}\n\n| fault | in | noticed first by | s |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`
      : ''
  })
  return [...tables.filter(Boolean), `${total}.`].join('\n')
}
