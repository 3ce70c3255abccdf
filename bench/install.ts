/** The peers that are npm packages, installed on demand beside this file; no install step of theirs is run. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const read = (path: string): { packages: Record<string, { version?: string }> } | undefined => {
  try {
    return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
  } catch {
    return undefined
  }
}

/** onnxruntime-node's step would download CUDA's part; its own for this machine comes with the package. */
export function installPeers(): void {
  const wanted = read('package-lock.json')?.packages ?? {}
  const present = read('node_modules/.package-lock.json')?.packages ?? {}
  if (Object.entries(wanted).every(([path, { version }]) => path === '' || present[path]?.version === version)) return
  console.error('bench: installing the peers: npm ci in bench/')
  execFileSync('npm', ['ci', '--ignore-scripts', '--loglevel=error', '--prefix', import.meta.dirname], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    shell: process.platform === 'win32',
  })
}
