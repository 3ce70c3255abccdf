/** The package as strangers get it: packed, installed into an empty project, typed, run in Node and in a browser. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, extname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'
import { build } from 'vite'
import { available } from './support/require.ts'

const { path: executablePath, skip } = available('chromium')

/** The stranger's project: one program, checked by TypeScript, run by Node and bundled for the browser. */
const program = {
  'train.ts': `
    import { fromArrays, layers, sequential, transform } from 'fovea'
    const { conv2d, batchNormalization, maxPooling2d, flatten, dropout, dense } = layers

    export interface Trained {
      readonly losses: readonly number[]
      /** Of the bytes of the model's file. */
      readonly sha256: string
    }

    /** Learns to tell level, upright and slanting stripes, on so many threads, read by half as many workers. */
    export async function trained(threads: number): Promise<Trained> {
      const bytes = new Uint8Array(90 * 64)
      const labels = new Int32Array(90)
      for (let i = 0; i < 90; i++) {
        labels[i] = i % 3
        for (let p = 0; p < 64; p++) {
          const [x, y] = [p % 8, p >> 3]
          bytes[i * 64 + p] = ([y, x, x + y][i % 3] + i) % 4 < 2 ? 200 + (i % 50) : i % 70
        }
      }
      const data = fromArrays({
        name: 'stripes',
        inputs: { image: { shape: [8, 8, 1], dtype: 'uint8', data: bytes } },
        targets: { label: { shape: [], dtype: 'int32', data: labels } },
        classNames: ['level', 'upright', 'slanting'],
      })
      const moved = transform(data, [
        { type: 'randomCrop', padding: 1, fillMode: 'reflect' },
        { type: 'rescale', scale: 1 / 255 },
      ])
      const workers = threads >> 1
      const model = sequential({ inputShape: [8, 8, 1], seed: 1, threads }, [
        conv2d({ filters: 8, kernelSize: 3, padding: 'same', activation: 'relu' }),
        batchNormalization(),
        maxPooling2d(),
        flatten(),
        dropout({ rate: 0.25 }),
        dense({ units: 3 }),
      ])
      const history = await model.fit(moved, { epochs: 3, batchSize: 16, optimizer: 'adam', seed: 7, workers })
      const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(await model.toBytes()))
      const sha256 = Array.from(new Uint8Array(digest), (byte) => byte.toString(16)).join(' ')
      return { losses: history.epochs.map(({ loss }) => loss), sha256 }
    }

    export const onManyThreads = (): Promise<Trained[]> => Promise.all([1, 2, 4].map(trained))`,
  'node.ts': `
    import { onManyThreads } from './train.ts'
    console.log(JSON.stringify(await onManyThreads()))`,
  'browser.ts': `
    import { onManyThreads } from './train.ts'
    onManyThreads().then((found) => { document.title = JSON.stringify(found) })`,
  'index.html': `<!doctype html><script type="module" src="./browser.ts"></script>`,
  'ask.ts': `
    import { layers, sequential } from 'fovea'
    const net = sequential({ inputShape: [2], seed: 1, threads: 2 }, [layers.dense({ units: 1 })])
    net.predict(new Float32Array(2)).then(
      ({ data }) => { document.title = JSON.stringify({ code: '', message: data.length + ' answer' }) },
      ({ code, message }) => { document.title = JSON.stringify({ code, message }) },
    )`,
  'ask.html': `<!doctype html><script type="module" src="./ask.ts"></script>`,
  'package.json': `{ "name": "stranger", "private": true, "type": "module" }`,
}

const compilerOptions = {
  target: 'esnext',
  strict: true,
  exactOptionalPropertyTypes: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  types: [],
}

const launching = { executablePath, args: ['--disable-gpu', '--disable-quic', '--disable-sync'] }
const project = mkdtempSync(join(tmpdir(), 'fovea-package-'))
const installed = join(project, 'node_modules/fovea')
let inNode: { losses: number[]; sha256: string }[]

before(() => {
  for (const [name, text] of Object.entries(program)) writeFileSync(join(project, name), text)
  run('npm', ['pack', '--pack-destination', project], { in: '.' })
  const [tarball] = readdirSync(project).filter((name) => name.endsWith('.tgz'))
  run('npm', ['install', '--ignore-scripts', '--omit=dev', '--prefer-offline', `./${tarball}`])
})
after(() => rmSync(project, { recursive: true, force: true }))

test('holds what is published, and no sources', () => {
  const names = readdirSync(installed)
  for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'dist', 'native', 'package.json'])
    assert.ok(names.includes(name), name)
  assert.deepEqual(readdirSync(join(installed, 'native')).sort(), ['build.mjs', 'src', 'toolchain.mjs'])
  assert.ok(!names.includes('src') && !names.includes('test'))
})

for (const [module, moduleResolution] of [
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
])
  test(`its types satisfy a strict program under ${moduleResolution}`, () => {
    const config = { compilerOptions: { ...compilerOptions, module, moduleResolution }, include: ['*.ts'] }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
    run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', project])
  })

test('trains in Node, to the same bytes on 1, 2 and 4 threads', () => {
  inNode = JSON.parse(run(process.execPath, ['node.ts']))
  const [{ losses, sha256 }, ...others] = inNode
  assert.equal(losses.length, 3)
  assert.ok(losses[2] < losses[0], `the loss does not fall: ${losses}`)
  assert.deepEqual(others, [
    { losses, sha256 },
    { losses, sha256 },
  ])
})

test('has a command', () => {
  assert.match(run(join(project, 'node_modules/.bin/fovea'), ['engines']), /wasm/)
})

test('builds the native engine where it is installed', { skip: available('native').skip }, () => {
  const look = `import { findAddon } from './node_modules/fovea/dist/engines/native/addon.js'
    const found = findAddon()
    console.log('addon' in found ? found.addon.info().onednn : found.missing)`
  const found = () => run(process.execPath, ['--input-type=module', '-e', look])
  assert.match(found(), /^not built; npx fovea native builds it/)
  run(join(project, 'node_modules/.bin/fovea'), ['native'])
  assert.match(found(), /^\d+\.\d+\.\d+\n$/)
})

test('bundled with vite, trains in Chromium to the same bytes as in Node, on 1, 2 and 4 threads', {
  skip,
}, async (t) => {
  await bundled('dist')
  const browser = await chromium.launch(launching)
  t.after(() => browser.close())
  for (const isolated of [true, false])
    await t.test(isolated ? 'with shared memory' : 'without shared memory', async () => {
      await using site = await serve(join(project, 'dist'), { isolated })
      const page = await browser.newPage()
      const failed = new Promise<never>((_, reject) => page.on('pageerror', reject))
      await page.goto(site.url)
      assert.equal(await page.evaluate(() => crossOriginIsolated), isolated)
      await Promise.race([failed, page.waitForFunction(() => document.title)])
      assert.deepEqual(JSON.parse(await page.title()), inNode)
    })
})

const WASM = "default-src 'self' 'wasm-unsafe-eval'"

/** Pages that may not do all that the library asks for: what comes of a question to a model. */
const restricted: readonly {
  readonly title: string
  readonly headers?: Headers
  /** The bundle lies on another origin than the page, as with vite's `base`. */
  readonly elsewhere?: Headers
  /** What the page does first. */
  readonly before?: () => void
  readonly code: '' | 'E_ENGINE'
  readonly words: readonly string[]
}[] = [
  {
    title: 'no WebAssembly',
    headers: () => ({ 'content-security-policy': "default-src 'self'" }),
    code: 'E_ENGINE',
    words: ['compiling WebAssembly is forbidden', 'Content-Security-Policy', "'wasm-unsafe-eval' in script-src"],
  },
  { title: 'WebAssembly allowed', headers: () => ({ 'content-security-policy': WASM }), code: '', words: ['1 answer'] },
  {
    title: 'no workers',
    headers: () => ({ 'content-security-policy': `${WASM}; worker-src 'none'` }),
    code: 'E_ENGINE',
    words: ["the page's Content-Security-Policy forbids it by worker-src"],
  },
  {
    title: 'a policy of the worker alone',
    headers: (name): Record<string, string> =>
      name.includes('worker') ? { 'content-security-policy': "default-src 'self'" } : {},
    code: 'E_ENGINE',
    words: ['compiling WebAssembly is forbidden', "comes with the worker's script"],
  },
  {
    title: "the worker's script is not there",
    headers: (name) => (name.includes('worker') ? undefined : {}),
    code: 'E_ENGINE',
    words: ['a worker did not start', 'its script did not load: http://'],
  },
  {
    title: 'the bundle on another origin',
    elsewhere: () => ({ 'access-control-allow-origin': '*' }),
    code: '',
    words: ['1 answer'],
  },
  {
    title: 'trusted types',
    headers: () => ({ 'content-security-policy': `${WASM}; require-trusted-types-for 'script'` }),
    code: 'E_ENGINE',
    words: ['a worker did not start', "require-trusted-types-for 'script' needs a trustedTypes.createPolicy('default'"],
  },
  {
    title: 'trusted types, allowed as the error says',
    headers: () => ({ 'content-security-policy': `${WASM}; require-trusted-types-for 'script'` }),
    before: () => {
      const { trustedTypes } = globalThis as unknown as { trustedTypes: { createPolicy(...given: unknown[]): void } }
      trustedTypes.createPolicy('default', { createScriptURL: (url: string) => url })
    },
    code: '',
    words: ['1 answer'],
  },
  {
    title: 'the bundle on another origin, and no workers of a blob',
    headers: () => ({ 'content-security-policy': "default-src 'self' 'wasm-unsafe-eval' http://127.0.0.1:*" }),
    elsewhere: () => ({ 'access-control-allow-origin': '*' }),
    code: 'E_ENGINE',
    words: ['forbids it by worker-src: blob:', 'blob: too where it is of another origin'],
  },
]

test('a page that is not allowed what it asks for says what it lacks, and how to allow it', { skip }, async (t) => {
  await bundled('dist')
  const browser = await chromium.launch(launching)
  t.after(() => browser.close())
  for (const { title, headers, elsewhere, before, code, words } of restricted)
    await t.test(title, async () => {
      await using other = await serve(join(project, 'dist-elsewhere'), elsewhere ? { headers: elsewhere } : {})
      if (elsewhere) await bundled('dist-elsewhere', other.url)
      await using site = await serve(join(project, elsewhere ? 'dist-elsewhere' : 'dist'), headers ? { headers } : {})
      const page = await browser.newPage()
      const failed = new Promise<never>((_, reject) => page.on('pageerror', reject))
      if (before) await page.addInitScript(before)
      await page.goto(`${site.url}ask.html`)
      await Promise.race([failed, page.waitForFunction(() => document.title)])
      const said = JSON.parse(await page.title()) as { code: string; message: string }
      assert.equal(said.code, code, said.message)
      for (const word of words) assert.ok(said.message.includes(word), `'${word}' is not in: ${said.message}`)
    })
})

/** Bundles the project's pages as vite does by itself; they ask for their parts at `base`. */
async function bundled(outDir: string, base = '/'): Promise<void> {
  const input = ['index.html', 'ask.html'].map((name) => join(project, name))
  const how = { outDir, emptyOutDir: true, rolldownOptions: { input } }
  await build({ root: project, base, configFile: false, logLevel: 'warn', build: how })
}

/** Runs a command in the project to its end and returns what it printed; any failure is told with all it said. */
function run(command: string, args: readonly string[], { in: cwd = project } = {}): string {
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter) // for the shebang of the command
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 300_000, env: { ...process.env, PATH } })
  assert.equal(
    done.status,
    0,
    `${command} ${args.join(' ')}: ${done.error ?? done.signal ?? ''}\n${done.stdout}${done.stderr}`,
  )
  return done.stdout
}

/** Headers of a file by its name; undefined for one that is not there. */
type Headers = (name: string) => Readonly<Record<string, string>> | undefined

/** Serves a folder; isolated pages may share memory between threads. */
async function serve(
  folder: string,
  { isolated = false, headers = () => ({}) }: { isolated?: boolean; headers?: Headers },
): Promise<AsyncDisposable & { readonly url: string }> {
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' }
  const server = createServer(async (request, response) => {
    const name = request.url === '/' ? '/index.html' : (request.url ?? '')
    const given = headers(name)
    const body = given && (await readFile(join(folder, name)).catch(() => undefined))
    for (const [header, value] of Object.entries(given ?? {})) response.setHeader(header, value)
    if (isolated) {
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('cross-origin-embedder-policy', 'require-corp')
    }
    response.writeHead(body ? 200 : 404, { 'content-type': types[extname(name)] ?? 'text/plain' }).end(body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // an address of a string is for pipes only
  const close = async () => {
    server.closeAllConnections()
    await server[Symbol.asyncDispose]()
  }
  return { url: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: close }
}
