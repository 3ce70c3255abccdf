/** Someone who takes part: a process that is asked one question at a time. See protocol.ts. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { machineSeconds, processSeconds } from './measure.ts'
import type { Answered, Asked, Hello, Turn } from './protocol.ts'

/** Of what a process complains of, the last words may be the error. */
const LAST_WORDS = 4000

export interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A turn, and how many processors all others had during it on average; undefined where the system does not tell. */
export interface Watched extends Turn {
  readonly others: number | undefined
}

export class Contestant {
  readonly hello: Hello
  readonly #line: Line
  readonly #born: number

  private constructor(line: Line, hello: Hello, born: number) {
    this.#line = line
    this.hello = hello
    this.#born = born
  }

  static async start({ command, args, env = {} }: Command): Promise<Contestant> {
    const born = performance.now()
    const line = new Line(spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...env } }))
    return new Contestant(line, (await line.next(120)) as Hello, born)
  }

  /** Seconds since its process was started. */
  get age(): number {
    return (performance.now() - this.#born) / 1000
  }

  /** Asks; an error of theirs, their end or their silence is thrown with their words. */
  async ask<K extends keyof Asked>(ask: K, asked: Asked[K], patience = 300): Promise<Answered[K]> {
    this.#line.write({ ask, ...asked })
    return (await this.#line.next(patience)) as Answered[K]
  }

  async turn(asked: Asked['turn'], patience?: number): Promise<Watched> {
    const used = (): number | undefined => {
      const [all, own] = [machineSeconds(), processSeconds(this.#line.pid)]
      return all === undefined || own === undefined ? undefined : all - own
    }
    const [before, start] = [used(), performance.now()]
    const turn = await this.ask('turn', asked, patience)
    const [after, seconds] = [used(), (performance.now() - start) / 1000]
    return { ...turn, others: before === undefined || after === undefined ? undefined : (after - before) / seconds }
  }

  get isClosed(): boolean {
    return this.#line.isClosed
  }

  close(): void {
    this.#line.close()
  }
}

/** Those that run: none outlives the bench. */
const children = new Set<ChildProcess>()

/** The two pipes of a process. */
class Line {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  /** Rejects when the command cannot be run at all. */
  readonly #failed: Promise<never>
  #lastWords = ''
  isClosed = false

  constructor(child: ChildProcess) {
    if (!child.stdout || !child.stderr) throw new Error('a contestant without output')
    this.#child = child
    if (children.size === 0) process.once('exit', () => children.forEach((one) => void one.kill('SIGKILL')))
    children.add(child)
    this.#failed = new Promise((_, reject) => child.on('error', reject))
    this.#failed.catch(() => {})
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (words: string) => (this.#lastWords = (this.#lastWords + words).slice(-LAST_WORDS)))
    child.stdin?.on('error', () => {}) // it has ended: the missing answer tells
    child.on('exit', () => {
      this.isClosed = true
      children.delete(child)
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  write(message: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  async next(patience: number): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), patience * 1000)))
    const line = await Promise.race([this.#lines.next(), late, this.#failed]).finally(() => clearTimeout(timer))
    if (line === 'late') {
      this.close()
      throw new Error(`no answer within ${patience} s`)
    }
    if (line.done) throw new Error(this.#reason())
    const answer = JSON.parse(line.value)
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }

  /** Why it ended: the error among its last words. */
  #reason(): string {
    const lines = this.#lastWords.split('\n').filter((line) => line.trim() !== '')
    const { exitCode, signalCode } = this.#child
    return lines.findLast((line) => /error/i.test(line))?.trim() ?? lines.at(-1) ?? `ended: ${signalCode ?? exitCode}`
  }

  close(): void {
    this.isClosed = true
    this.#child.kill('SIGKILL')
  }
}
