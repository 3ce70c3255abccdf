/** Reads the code of a WebAssembly module back: which instructions each function has, and within which loops. */

export interface Instruction {
  readonly opcode: number
  /** For SIMD instructions, the number after the prefix 0xfd. */
  readonly simd?: number
}

export interface Loop {
  readonly body: Instruction[]
  readonly inner: Loop[]
}

class Reader {
  at = 0
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
  byte(): number {
    return this.bytes[this.at++]
  }
  /** LEB128; signed ones are as long. */
  leb(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  skipNumbers(count: number): void {
    for (let i = 0; i < count; i++) this.leb()
  }
}

const inRange = (x: number, low: number, high: number): boolean => x >= low && x <= high

/** Passes over what follows an opcode; throws at one that it does not know. */
function immediates(code: Reader, opcode: number): number | undefined {
  if (inRange(opcode, 0x02, 0x04)) code.byte()
  else if (inRange(opcode, 0x0c, 0x0d) || opcode === 0x10 || inRange(opcode, 0x20, 0x22)) code.leb()
  else if (inRange(opcode, 0x28, 0x3e)) code.skipNumbers(2)
  else if (opcode === 0x41 || opcode === 0x42) code.leb()
  else if (opcode === 0x43) code.at += 4
  else if (opcode === 0x44) code.at += 8
  else if (opcode === 0xfd) {
    const simd = code.leb()
    if (simd <= 0x0b || simd === 0x5c || simd === 0x5d) code.skipNumbers(2)
    else if (simd === 0x0c || simd === 0x0d) code.at += 16
    else if (inRange(simd, 0x15, 0x22)) code.byte()
    else if (inRange(simd, 0x54, 0x5b)) {
      code.skipNumbers(2)
      code.byte()
    }
    return simd
  } else if (![0x05, 0x0b, 0x0f, 0x1a, 0x1b].includes(opcode) && !inRange(opcode, 0x45, 0xc4)) {
    throw new Error(`opcode ${opcode.toString(16)} at ${code.at}`)
  }
  return undefined
}

/** Each function of a module as a loop that runs once. */
export function functionsOf(module: Uint8Array): Loop[] {
  const file = new Reader(module)
  file.at = 8
  while (file.at < module.length) {
    const section = file.byte()
    const size = file.leb()
    if (section !== 10) {
      file.at += size
      continue
    }
    return Array.from({ length: file.leb() }, () => {
      const end = file.leb() + file.at
      for (let runs = file.leb(); runs > 0; runs--) file.skipNumbers(2)
      const result = functionAt(file, end)
      file.at = end
      return result
    })
  }
  return []
}

function functionAt(code: Reader, end: number): Loop {
  const whole: Loop = { body: [], inner: [] }
  const blocks: Loop[] = [whole]
  while (code.at < end) {
    const opcode = code.byte()
    const simd = immediates(code, opcode)
    const current = blocks[blocks.length - 1]
    if (opcode === 0x03) {
      const loop: Loop = { body: [], inner: [] }
      current.inner.push(loop)
      blocks.push(loop)
    } else if (opcode === 0x02 || opcode === 0x04) blocks.push(current)
    else if (opcode === 0x0b) blocks.pop()
    else current.body.push(simd === undefined ? { opcode } : { opcode, simd })
  }
  if (blocks.length > 0) throw new Error('blocks do not match')
  return whole
}

/** Every instruction of a function. */
export const instructionsOf = ({ body, inner }: Loop): Instruction[] => [...body, ...inner.flatMap(instructionsOf)]

/** The loops that hold no loop. */
export const innermostOf = ({ inner }: Loop): Loop[] =>
  inner.flatMap((loop) => (loop.inner.length > 0 ? innermostOf(loop) : [loop]))

/** Arithmetic, comparisons, loads, stores and constants of single floats; conversions from and to them. */
export const isScalarFloat = ({ opcode }: Instruction): boolean =>
  [0x2a, 0x2b, 0x38, 0x39, 0x43, 0x44].includes(opcode) ||
  inRange(opcode, 0x5b, 0x66) ||
  inRange(opcode, 0x8b, 0xa6) ||
  inRange(opcode, 0xa8, 0xab) ||
  inRange(opcode, 0xae, 0xbf)
