/** Bytes of a WebAssembly module: types, one imported memory, functions, exports (WebAssembly Core 2.0, section 5). */

/** Instructions as bytes, nested as they were written; a call to another function of the module has its name. */
export type Code = number | { readonly call: string } | readonly Code[]

export type WasmType = 'i32' | 'v128'
const typeByte: Record<WasmType, number> = { i32: 0x7f, v128: 0x7b }

export interface WasmFunction {
  readonly name: string
  readonly parameters: readonly WasmType[]
  readonly result?: WasmType
  readonly locals: readonly WasmType[]
  readonly body: Code
  readonly exported: boolean
}

/** An unsigned integer in LEB128. */
export function unsigned(value: number): number[] {
  if (!(Number.isSafeInteger(value) && value >= 0)) throw new RangeError(`${value} is not an unsigned integer`)
  const bytes: number[] = []
  do {
    const low = value % 128
    value = Math.floor(value / 128)
    bytes.push(value > 0 ? low | 0x80 : low)
  } while (value > 0)
  return bytes
}

/** A signed 32-bit integer in LEB128. */
export function signed(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value | 0; ; ) {
    const low = rest & 0x7f
    rest >>= 7
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
    bytes.push(done ? low : low | 0x80)
    if (done) return bytes
  }
}

/** Appends `code` to `into`, calls resolved to function numbers. */
function flatten(code: Code, functions: ReadonlyMap<string, number>, into: number[]): void {
  if (typeof code === 'number') into.push(code)
  else if ('call' in code) {
    const index = functions.get(code.call)
    if (index === undefined) throw new Error(`the module has no function ${code.call}`)
    into.push(0x10, ...unsigned(index))
  } else for (const part of code) flatten(part, functions, into)
}

const text = (s: string): number[] => [...unsigned(s.length), ...new TextEncoder().encode(s)]
const list = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()]

function section(id: number, body: number[], into: number[]): void {
  into.push(id, ...unsigned(body.length))
  for (const byte of body) into.push(byte)
}

/** Locals as runs of one type, as the format needs them. */
function localRuns(locals: readonly WasmType[]): number[][] {
  const runs: { type: WasmType; count: number }[] = []
  for (const type of locals) {
    const last = runs[runs.length - 1]
    if (last?.type === type) last.count++
    else runs.push({ type, count: 1 })
  }
  return runs.map(({ type, count }) => [...unsigned(count), typeByte[type]])
}

/** A module of `functions` over the memory imported as `env.memory`. */
export function assemble(functions: readonly WasmFunction[], memory: { shared: boolean }): Uint8Array<ArrayBuffer> {
  const numbers = new Map(functions.map(({ name }, i) => [name, i]))
  const signatures: string[] = []
  const typeIndex = functions.map(({ parameters, result }) => {
    const signature = `${parameters.join()}>${result ?? ''}`
    if (!signatures.includes(signature)) signatures.push(signature)
    return signatures.indexOf(signature)
  })
  const types = signatures.map((signature) => {
    const [parameters, results] = signature.split('>').map((side) => side.split(',').filter(Boolean) as WasmType[])
    return [0x60, ...list(parameters.map((t) => [typeByte[t]])), ...list(results.map((t) => [typeByte[t]]))]
  })
  const limits = memory.shared ? [0x03, 0, ...unsigned(65536)] : [0x00, 0]
  const bodies = functions.map(({ locals, body }) => {
    const bytes = list(localRuns(locals))
    flatten(body, numbers, bytes)
    bytes.push(0x0b)
    return [...unsigned(bytes.length), ...bytes]
  })
  const exported = functions.flatMap(({ name, exported }, i) =>
    exported ? [[...text(name), 0x00, ...unsigned(i)]] : [],
  )

  const bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
  section(1, list(types), bytes)
  section(2, list([[...text('env'), ...text('memory'), 0x02, ...limits]]), bytes)
  section(3, list(typeIndex.map((i) => unsigned(i))), bytes)
  section(7, list(exported), bytes)
  section(10, list(bodies), bytes)
  return Uint8Array.from(bytes)
}
