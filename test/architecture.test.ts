/** The floors of the house: imports only go down, there are no circles, and what runs in a browser knows no Node. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { test } from 'node:test'
import { parseAst } from 'vite'

/** THE table: lowest floor first. A room uses itself and the rows above its own here; rooms of one row do not know each other. */
const floors = [
  ['base'],
  ['platform'],
  ['graph'],
  ['files'],
  ['ops', 'data'],
  ['compile'],
  ['engines/*'],
  ['engines'],
  ['nn'],
  ['network'],
  ['saved'],
  ['training'],
  ['model'],
  ['explain', 'zoo', 'io', 'report'],
  ['index.ts', 'runs'],
  ['server'],
  ['cli'],
]

/** Rooms that may name `node:` modules and packages that only Node can load. */
const nodeRooms = ['platform', 'runs', 'cli', 'server']
const nodePackages = ['sharp']

/** What a name of ours stands for, in Node and in a bundle. */
const aliases: Record<string, Record<'node' | 'browser', string>> = {
  '#platform': { node: 'src/platform/node.ts', browser: 'src/platform/browser.ts' },
  fovea: { node: 'src/index.ts', browser: 'src/index.ts' },
}

/** Files of more than 500 lines, each with its reason: tables and generated files only. */
const longFiles: Record<string, string> = {}

/** The files that are started, so that running them does something; workers are found by their `new URL`. */
const programs = ['src/cli/main.ts']

type Syntax = { readonly type: string; readonly [key: string]: unknown }

/** What one file says of itself: the names it imports, the workers it starts, and its breaches of style. */
interface Facts {
  readonly imports: readonly string[]
  readonly workers: readonly string[]
  readonly faults: readonly string[]
  readonly effects: boolean
}

/** Every breach of the house rules in the sources, given as text by path. */
function violations(sources: Readonly<Record<string, string>>): string[] {
  const found: string[] = []
  const facts = new Map(Object.entries(sources).map(([path, text]) => [path, read(text)]))
  const started = new Set(programs)
  for (const [path, { workers }] of facts) for (const worker of workers) started.add(resolve(path, worker, 'node'))

  for (const [path, { imports, workers, faults, effects }] of facts) {
    const report = (fault: string) => found.push(`${path}: ${fault}`)
    const room = roomOf(path)
    if (floorOf(room) < 0) report(`lies in no room of the table`)
    if (/(^|\/)(utils?|helpers?|types|common|misc)(\.ts|\/)/.test(path)) report('is named for nothing in particular')
    if (sources[path].split('\n').length > 501 && !(path in longFiles)) report('has more than 500 lines')
    if (effects && !started.has(path)) report('does something when it is imported')
    for (const fault of faults) report(fault)
    for (const name of [...imports, ...workers]) {
      const target = resolve(path, name, 'node')
      if (isNodeOnly(target) && !nodeRooms.includes(room)) report(`imports ${name}, which is for ${nodeRooms}`)
      if (!target.startsWith('src/')) continue
      const other = roomOf(target)
      if (room !== other && floorOf(other) >= floorOf(room))
        report(`imports ${target}, but ${room} may not use ${other}`)
      const folder = posix.dirname(target)
      if (posix.basename(target) === 'index.ts' && folder !== 'src' && path.startsWith(`${folder}/`))
        report(`imports ${target}, the index of its own folder`)
    }
  }

  const graph = (platform: 'node' | 'browser') => (path: string) => {
    const { imports = [], workers = [] } = facts.get(path) ?? {}
    return [...imports, ...workers].map((name) => resolve(path, name, platform))
  }
  for (const circle of circles([...facts.keys()], graph('node'))) found.push(`a circle: ${circle.join(' > ')}`)
  const bundle = reachable(['src/index.ts', 'src/platform/browser.ts'], graph('browser'))
  for (const name of bundle) if (isNodeOnly(name)) found.push(`${name} would reach a browser's bundle`)
  return found
}

function roomOf(path: string): string {
  const [, first, second, ...rest] = path.split('/')
  return first === 'engines' && rest.length > 0 ? `engines/${second}` : first
}

function floorOf(room: string): number {
  return floors.findIndex((rooms) => rooms.includes(room) || rooms.includes(room.replace(/\/.*/, '/*')))
}

function isNodeOnly(name: string): boolean {
  return isBuiltin(name) || nodePackages.includes(name)
}

/** The path under src/ that a name stands for, or the name itself where it is a package's. */
function resolve(from: string, name: string, platform: 'node' | 'browser'): string {
  if (name.startsWith('.')) return posix.join(posix.dirname(from), name).replace(/\.js$/, '.ts')
  return aliases[name]?.[platform] ?? name
}

function read(text: string): Facts {
  const program = parseAst(text, { lang: 'ts' })
  const [imports, workers, faults]: [string[], string[], Set<string>] = [[], [], new Set()]
  for (const node of walk(program)) {
    if (/^(Import|Export|TSImport)/.test(node.type) && isSyntax(node['source'])) {
      const name = node['source']['value']
      if (typeof name === 'string') imports.push(name)
      else faults.add('imports by a computed name')
    }
    if (node.type === 'NewExpression' && isSyntax(node['callee']) && node['callee']['name'] === 'URL')
      for (const { value } of walk(node['arguments']))
        if (typeof value === 'string' && /^\..*\.[jt]s$/.test(value)) workers.push(value)
    if (node.type === 'ExportDefaultDeclaration') faults.add('has a default export')
    if (node.type === 'TSAnyKeyword') faults.add('says any')
    if (node['operator'] === 'instanceof' && isSyntax(node['right']) && String(node['right']['name']) in globalThis)
      faults.add('asks instanceof of a built-in class, which knows one realm: base/realm.ts')
    if (node.type === 'MemberExpression' && isSyntax(node['object']) && isSyntax(node['property']))
      if (`${node['object']['name']}.${node['property']['name']}` === 'Math.random') faults.add('calls Math.random')
  }
  const effects = program.body.some((statement) => statement.type === 'ExpressionStatement')
  return { imports, workers, faults: [...faults], effects }
}

function isSyntax(value: unknown): value is Syntax {
  return typeof value === 'object' && value !== null && 'type' in value
}

function* walk(value: unknown): Generator<Syntax> {
  if (typeof value !== 'object' || value === null) return
  if (isSyntax(value)) yield value
  for (const child of Object.values(value)) yield* walk(child)
}

/** The circles that a walk along the imports meets, each as the files on it, the first again at the end. */
function circles(files: readonly string[], next: (file: string) => string[]): string[][] {
  const [found, done, way]: [string[][], Set<string>, string[]] = [[], new Set(), []]
  const visit = (file: string) => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file])
    if (done.has(file)) return
    done.add(file)
    way.push(file)
    for (const other of next(file)) visit(other)
    way.pop()
  }
  for (const file of files) visit(file)
  return found
}

function reachable(start: readonly string[], next: (file: string) => string[]): Set<string> {
  const seen = new Set(start)
  for (const file of seen) for (const other of next(file)) seen.add(other)
  return seen
}

test('the sources keep to the floors', () => {
  const paths = globSync('src/**/*.ts').map((path) => path.replaceAll('\\', '/'))
  assert.ok(paths.length > 0)
  assert.deepEqual(violations(Object.fromEntries(paths.map((path) => [path, readFileSync(path, 'utf8')]))), [])
})

/** Small made-up houses: what stands in them, and the one complaint each must cause (none: they are sound). */
const houses: [name: string, sources: Record<string, string>, complaint?: RegExp][] = [
  ['down a floor', { 'src/nn/dense.ts': `import { matmul } from '../ops/matmul.ts'` }],
  ['within a room', { 'src/nn/layers/dense.ts': `export { units } from '../layer.ts'` }],
  ['data reads files', { 'src/data/mnist.ts': `import { idx } from '../files/idx.ts'` }],
  ['up a floor', { 'src/graph/node.ts': `import { add } from '../ops/index.ts'` }, /graph may not use ops/],
  ['a class of this realm', { 'src/ops/a.ts': `export const f = (x) => x instanceof Float32Array` }, /one realm/],
  ['a class of ours', { 'src/ops/a.ts': `export const f = (x) => x instanceof FoveaError` }],
  ['up, by type only', { 'src/ops/a.ts': `import type { M } from '../model/m.ts'` }, /ops may not use model/],
  ['up, by re-export', { 'src/ops/a.ts': `export * from '../model/m.ts'` }, /ops may not use model/],
  ['up, by import()', { 'src/ops/a.ts': `export const m = () => import('../model/m.ts')` }, /ops may not use model/],
  ['up, by import type', { 'src/ops/a.ts': `export type M = import('../nn/m.ts').M` }, /ops may not use nn/],
  ['up, through the public face', { 'src/zoo/a.ts': `import { model } from 'fovea'` }, /zoo may not use index.ts/],
  ['across a floor', { 'src/data/a.ts': `import { add } from '../ops/a.ts'` }, /data may not use ops/],
  ['base knows no platform', { 'src/base/a.ts': `import { read } from '#platform'` }, /base may not use platform/],
  ['engine to engine', { 'src/engines/wasm/a.ts': `import '../reference/a.ts'` }, /may not use engines\/reference/],
  ['engine to the list', { 'src/engines/wasm/a.ts': `import '../best.ts'` }, /engines\/wasm may not use engines$/],
  ['the list to its engines', { 'src/engines/index.ts': `import './wasm/engine.ts'` }],
  ['a worker above', { 'src/data/a.ts': `export const u = () => new URL('../nn/w.js', import.meta.url)` }, /use nn/],
  [
    'a worker that starts',
    {
      'src/engines/wasm/threads.ts': `export const u = () => new Worker(new URL('./worker.js', import.meta.url))`,
      'src/engines/wasm/worker.ts': `listen()`,
    },
  ],
  ['an effect on import', { 'src/nn/a.ts': `register('dense')` }, /when it is imported/],
  ['the own index', { 'src/nn/layers/a.ts': `import { b } from './index.ts'` }, /the index of its own folder/],
  [
    'a circle',
    { 'src/nn/a.ts': `import './b.ts'`, 'src/nn/b.ts': `import type { A } from './a.ts'` },
    /a circle: .*a.ts$/,
  ],
  ['Node below', { 'src/files/a.ts': `import { readFileSync } from 'node:fs'` }, /imports node:fs/],
  ['Node in its place', { 'src/platform/node.ts': `import { readFileSync } from 'node:fs'` }],
  [
    'Node in a bundle',
    { 'src/platform/browser.ts': `import './path.ts'`, 'src/platform/path.ts': `import 'node:path'` },
    /node:path would reach/,
  ],
  ['a room of its own', { 'src/shared/a.ts': '' }, /in no room/],
  ['a drawer', { 'src/base/utils.ts': '' }, /named for nothing/],
  ['a long file', { 'src/base/a.ts': '\n'.repeat(501) }, /more than 500 lines/],
  ['any', { 'src/base/a.ts': 'export const a = 1 as any' }, /says any/],
  ['chance', { 'src/base/a.ts': 'export const a = () => Math.random()' }, /Math.random/],
  ['a default', { 'src/base/a.ts': 'export default 1' }, /default export/],
  ['words only', { 'src/base/a.ts': `// import '../nn/a.ts'\nexport const a = "import '../nn/a.ts'; Math.random()"` }],
]

for (const [name, sources, complaint] of houses)
  test(`${name}: ${complaint ? 'refused' : 'allowed'}`, () => {
    const found = violations(sources)
    assert.equal(found.length, complaint ? 1 : 0, found.join('\n'))
    if (complaint) assert.match(found[0], complaint)
  })
