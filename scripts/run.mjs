// node scripts/run.mjs <task> [arguments]: installs what is missing, then runs the task on Node 24.
// Plain JavaScript for any Node a machine may have (tried on 18 and 20): it runs before anything is installed.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureBuilt } from '../native/build.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const sources = ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source']
const fovea = [...sources, join(root, 'src/cli/main.ts')]
// Node takes one processor less than there are, which halves two
const tests = [
  ...[...sources, '--test', '--test-reporter=spec', '--test-timeout=600000'],
  `--test-concurrency=${availableParallelism()}`,
]

/** A task is its stages in order, each with the arguments of one `node`; what follows `--` on the npm command is `rest`. */
const tasks = {
  fovea: (rest) => [{ node: [...fovea, ...rest] }],
  node: (rest) => [{ node: [...sources, ...rest] }],
  start: (rest) => [
    { node: [...fovea, ...'train lenet --data mnist --fallback digits --epochs 2'.split(' '), ...rest] },
  ],
  test: (rest) => [
    { title: 'format and lint', node: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'] },
    { title: 'format of C++', node: ['native/format.mjs'] },
    { title: 'types', node: ['node_modules/typescript/bin/tsc'] },
    { title: 'tests', node: [...tests, ...(rest.length > 0 ? rest : ['test/**/*.test.ts'])] },
  ],
  'test:zoo': (rest) => [
    { title: 'networks of the zoo', node: [...tests, ...(rest.length > 0 ? rest : ['test/zoo/*.zoo.ts'])] },
  ],
  reference: (rest) => [{ node: [...sources, 'scripts/reference.ts', ...rest] }],
  bench: (rest) => [{ node: [...sources, 'bench/run.ts', ...rest] }],
  faults: (rest) => [{ node: [...sources, 'test/faults/run.ts', ...rest] }],
  fuzz: (rest) => [{ node: ['--max-old-space-size=256', ...sources, 'test/hostile/fuzz.ts', ...rest] }],
  native: (rest) => [{ node: ['native/build.mjs', ...rest] }],
  'native:asan': (rest) => [
    { title: 'compile with AddressSanitizer', node: ['native/build.mjs', '--asan'] },
    {
      title: 'tests',
      node: ['native/asan.mjs', ...tests, ...(rest.length > 0 ? rest : ['test/engines/native/*.test.ts'])],
    },
  ],
  build: () => [
    { title: 'clean', node: ['-e', "fs.rmSync('dist', { recursive: true, force: true })"] },
    { title: 'compile to dist', node: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'] },
  ],
}

/** Tasks that compute, with the native engine where it can be had. */
const computing = ['fovea', 'node', 'start', 'test', 'test:zoo', 'bench', 'faults']

const [task, ...rest] = process.argv.slice(2)
if (!Object.hasOwn(tasks, task)) stop(2, `usage: node scripts/run.mjs ${Object.keys(tasks).join('|')} [arguments]`)

let child
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => pass(signal))
// npm hands a signal to the shell that it runs a script in, and that shell ends without handing it on: its end is the signal
const { ppid } = process
const isFromNpm = process.env.npm_lifecycle_event !== undefined && process.platform !== 'win32'
if (isFromNpm) setInterval(() => process.ppid === ppid || pass('SIGTERM'), 250).unref()

if (!installed()) {
  say('installing what is missing: npm ci')
  // npm's words go to stderr: stdout is the task's own
  const code = await run('npm', ['ci', '--include=dev', '--prefer-offline', '--loglevel=error'], ['ignore', 2, 2])
  if (code !== 0) stop(code, 'npm ci failed: the first run needs the npm registry. Try again when it can be reached.')
}
const node = usableNode()
if (!node)
  stop(9, `Node 22.18 or newer is needed, this is ${process.version}; the npm package 'node' did not install one`)
if (computing.includes(task)) {
  const failure = await ensureBuilt({ onStart: () => say('building the native engine (once)') })
  if (failure) say(`the native engine does not build: ${failure}; going on without it (npm run native says more)`)
}

for (const { title, node: args } of tasks[task](rest)) {
  if (title) say(title)
  const code = await run(node, args, 'inherit', whereOf(task))
  if (code !== 0) stop(code, title && `${title}: failed (exit ${code})`)
}

/** Whether node_modules holds what package-lock.json says; their dates tell nothing after a checkout or a copy. */
function installed() {
  const packages = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages
  if (!usableNode() || !existsSync(join(root, 'node_modules/.package-lock.json'))) return false
  const present = packages('node_modules/.package-lock.json')
  return Object.entries(packages('package-lock.json')).every(
    ([path, wanted]) => path === '' || (present[path] ? present[path].version === wanted.version : wanted.optional),
  )
}

/** The Node of node_modules, or else the one this runs on where it can run the sources. */
function usableNode() {
  const pinned = join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (existsSync(pinned)) return pinned
  return major > 22 || (major === 22 && minor >= 18) ? process.execPath : undefined
}

/** Where a task runs: paths that a user gives to these two are from where they stand, also within the project. */
function whereOf(name) {
  return ['fovea', 'node'].includes(name) && isFromNpm ? (process.env.INIT_CWD ?? root) : root
}

/** Runs a command to its end and resolves to its exit code, 128 + n for signal n. */
function run(command, args, stdio, cwd = root) {
  const path = [dirname(usableNode() ?? process.execPath), process.env.PATH].join(delimiter)
  // a process that loads the sources takes 0.4 s instead of 1.1
  const cache = process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules/.cache/node')
  const shell = command === 'npm' && process.platform === 'win32'
  child = spawn(command, args, { cwd, stdio, shell, env: { ...process.env, PATH: path, NODE_COMPILE_CACHE: cache } })
  return new Promise((resolve) => {
    child.on('error', (error) => stop(1, error.message))
    child.on('close', (code, signal) => resolve(signal ? 128 + constants.signals[signal] : code))
  })
}

/** A terminal sends Ctrl-C to the child as well; a signal sent to this process alone is handed on. */
function pass(signal) {
  if (!child) process.exit(128 + constants.signals[signal])
  if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
}

function say(line) {
  console.error(`fovea: ${line}`)
}

function stop(code, line) {
  if (line) say(line)
  process.exit(code)
}
