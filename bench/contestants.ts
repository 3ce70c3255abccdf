/** Who can take part: our engines, those of another checkout, and peers, a row each. */
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EngineName } from '../src/engines/index.ts'
import type { Command } from './contestant.ts'
import { Contestant } from './contestant.ts'
import type { Mode, Precision } from './protocol.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const node = (path: string, ...args: readonly string[]): Command => ({
  command: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', '--conditions=fovea-source', here(path), ...args],
})
const python = (threads: number, env: Record<string, string> = {}): Command => ({
  command: '/usr/bin/python3',
  args: [here('peers/pytorch.py'), `${threads}`],
  env,
})

/** The C library gives memory back after every step and takes it anew, page by page, unless it is told to keep it. */
const hugePages = {
  ...{ MALLOC_MMAP_THRESHOLD_: '4294967296', MALLOC_TRIM_THRESHOLD_: '4294967296', MALLOC_TOP_PAD_: '67108864' },
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
}

/** Forward and backward are threads of their own, each with helpers that look long for work while the other's compute. */
const shortSpins = { ...hugePages, GOMP_SPINCOUNT: '10000' }
const wide = { ATEN_CPU_CAPABILITY: 'avx512' }
/** Each thread keeps to a core of its own, as ours do. */
const bound = { OMP_PROC_BIND: 'close', OMP_PLACES: 'cores' }

interface Row {
  /** Ways to start it, by a word for the setting; the fastest is measured. */
  readonly commands: (threads: number) => Readonly<Record<string, Command>>
  readonly modes: readonly Mode[]
  readonly precisions: readonly Precision[]
  /** Seconds may go by for one image: its batches may be smaller. */
  readonly isSlow?: true
  /** Answers for the time to its first step, and for epochs from files. */
  readonly isWhole?: true
  /** Makes layers one by one. */
  readonly doesLayers?: true
  /** Is compared with this engine of ours alone. */
  readonly rivalOf?: EngineName
  /** Comes from bench/package.json. */
  readonly isPackage: boolean
}

const both = ['train', 'infer'] as const
/** A package that computes in float32, in a Node of its own. */
const javascript = (modes: readonly Mode[], path: string, ...args: readonly string[]) => ({
  commands: (threads: number) => ({ '': node(path, `${threads}`, ...args) }),
  modes,
  precisions: ['float32'] as const,
  isPackage: true,
})

export const peers: Readonly<Record<string, Row>> = {
  pytorch: {
    commands: (threads) => ({
      '': python(threads),
      'huge pages': python(threads, hugePages),
      'huge pages, short spins': python(threads, shortSpins),
      'huge pages, short spins, AVX-512': python(threads, { ...shortSpins, ...wide }),
      'bound, huge pages, short spins, AVX-512': python(threads, { ...shortSpins, ...wide, ...bound }),
    }),
    modes: both,
    precisions: ['float32', 'mixed_bfloat16'],
    isWhole: true,
    doesLayers: true,
    isPackage: false,
  },
  'onnxruntime-node': javascript(['infer'], 'peers/onnxruntime.mjs', 'onnxruntime-node'),
  'onnxruntime-web': javascript(['infer'], 'peers/onnxruntime.mjs', 'onnxruntime-web'),
  'tfjs-wasm': javascript(both, 'peers/tensorflow-js.mjs', 'wasm'),
  'tfjs-cpu': { ...javascript(both, 'peers/tensorflow-js.mjs', 'cpu'), isSlow: true },
  'jax-js': { ...javascript(both, 'peers/jax-js.mjs'), isSlow: true },
  convnetjs: { ...javascript(both, 'peers/convnetjs.mjs'), isSlow: true },
}

const fovea = (engine: EngineName): Row => ({
  commands: (threads) => ({ '': node('fovea.ts', `${threads}`, engine) }),
  modes: both,
  precisions: ['float32', 'mixed_bfloat16'],
  isWhole: true,
  doesLayers: true,
  isPackage: false,
})

/** The same engine in another folder, such as the code before a change. */
const checkout = (folder: string, engine: EngineName): Row => {
  const path = resolve(folder, 'bench/fovea.ts')
  return { ...fovea(engine), rivalOf: engine, commands: (threads) => ({ '': node(path, `${threads}`, engine) }) }
}

/** One who takes part, with its processes: they live from task to task, and are started again when they have ended. */
export class Entrant {
  /** The peer's word, or our engine's name. */
  readonly name: string
  readonly isOurs: boolean
  readonly row: Row
  readonly commands: Readonly<Record<string, Command>>
  readonly #running = new Map<string, Contestant>()

  private constructor(name: string, isOurs: boolean, row: Row, threads: number) {
    this.name = name
    this.isOurs = isOurs
    this.row = row
    this.commands = row.commands(threads)
  }

  static peer(name: string, threads: number): Entrant {
    return new Entrant(name, false, peers[name], threads)
  }
  static engine(name: EngineName, threads: number): Entrant {
    return new Entrant(name, true, fovea(name), threads)
  }
  static checkout(folder: string, name: EngineName, threads: number): Entrant {
    return new Entrant(`${name} of ${basename(resolve(folder))}`, false, checkout(folder, name), threads)
  }

  does(mode: Mode, precision: Precision): boolean {
    return this.row.modes.includes(mode) && this.row.precisions.includes(precision)
  }

  async process(command: string): Promise<Contestant> {
    const known = this.#running.get(command)
    if (known && !known.isClosed) return known
    const started = await Contestant.start(this.commands[command])
    this.#running.set(command, started)
    return started
  }

  /** What the task took up is given back. */
  async release(): Promise<void> {
    for (const contestant of this.#running.values())
      if (!contestant.isClosed) await contestant.ask('release', {}).catch(() => contestant.close())
  }

  close(): void {
    for (const contestant of this.#running.values()) contestant.close()
  }
}
