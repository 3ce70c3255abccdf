/**
 * Every ```ts block of README.md and docs/*.md is a program: it must satisfy TypeScript, and it is run. The blocks of
 * one page run in their order in one empty folder, so that a later one finds what an earlier one saved. Words after `ts`:
 *
 *     ```ts               checked and run
 *     ```ts data=mnist    checked; run where MNIST is at hand (see require.ts), else skipped
 *     ```ts no-run        checked only: it would take long, or need what tests have not
 *     ```ts fragment      neither: part of a program, such as a row of a table
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { available } from './support/require.ts'

interface Block {
  /** `docs/getting-started.md:12`. */
  readonly place: string
  /** Where it stands as a file, inside this package so that `fovea` means its sources. */
  readonly file: string
  readonly kind: '' | 'data=mnist' | 'no-run' | 'fragment'
  readonly text: string
}

const kinds: readonly string[] = ['', 'data=mnist', 'no-run', 'fragment'] satisfies Block['kind'][]

/** The ```ts blocks of a page, in order. */
function blocksOf(page: string, markdown: string): Block[] {
  return [...markdown.matchAll(/^```ts\b(.*)\n([\s\S]*?)^```$/gm)].map(({ 1: words, 2: text, index }) => {
    const line = markdown.slice(0, index).split('\n').length
    const [place, kind] = [`${page}:${line}`, words.trim() as Block['kind']]
    assert.ok(
      kinds.includes(kind),
      `${place}: after ts, got '${kind}', expected one of ${kinds.filter(Boolean).join(', ')}`,
    )
    return { place, kind, text, file: join(folder, basename(page, '.md'), `line-${line}.ts`) }
  })
}

const folder = '.cache/docs'
const pages = ['README.md', ...globSync('docs/*.md').sort()].filter((page) => existsSync(page))
const blocks = pages.flatMap((page) => blocksOf(page, readFileSync(page, 'utf8')))
const programs = blocks.filter(({ kind }) => kind !== 'fragment')

rmSync(folder, { recursive: true, force: true })
for (const { file, text } of programs) {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${text}\nexport {}\n`) // a module even where it imports nothing
}

test('a page is taken apart as the top of this file says', () => {
  const page = 'Text\n\n```ts\nlet a = 1\n\na++\n```\n```js\nno\n```\n```ts no-run\n```\n```tsx\nno\n```\n'
  const found = blocksOf('docs/x.md', page).map(({ place, kind, text }) => [place, kind, text])
  assert.deepEqual(found, [
    ['docs/x.md:3', '', 'let a = 1\n\na++\n'],
    ['docs/x.md:11', 'no-run', ''],
  ])
  assert.throws(() => blocksOf('docs/x.md', '```ts norun\n```\n'), /docs\/x.md:1: after ts, got 'norun'/)
})

test('the programs of the documents satisfy TypeScript', { skip: programs.length === 0 && 'no programs yet' }, () => {
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', include: ['**/*.ts'] }))
  node([resolve('node_modules/typescript/bin/tsc'), '-p', folder])
})

const mnist = available('mnist')
for (const { place, kind, file } of programs)
  if (kind !== 'no-run')
    test(`${place} runs`, { skip: kind === 'data=mnist' && mnist.skip }, () => {
      node(['--conditions=fovea-source', resolve(file)], dirname(file))
    })

function node(args: readonly string[], cwd = '.'): void {
  const env = mnist.path ? { ...process.env, FOVEA_DATA: dirname(resolve(mnist.path)) } : process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, env, encoding: 'utf8', timeout: 300_000 })
  assert.equal(status, 0, `${stdout}${stderr}`)
}
