/** Writing one function: locals, loops, conditions. */
import type { Code, WasmFunction, WasmType } from './assembler.ts'
import { unsigned } from './assembler.ts'
import { i32, multiplyAdd } from './instructions.ts'

/** A local variable: `x.get` reads it, `x.set(code)` writes it. */
export interface Local {
  readonly get: Code
  readonly set: (value: Code) => Code
}

const EMPTY_BLOCK = 0x40
const block = (body: Code): Code => [0x02, EMPTY_BLOCK, body, 0x0b]
const branchIf = (condition: Code, depth: number): Code => [condition, 0x0d, unsigned(depth)]

export class FunctionWriter {
  readonly #parameters: WasmType[] = []
  readonly #locals: WasmType[] = []
  /** a * b + c as the host does it. */
  readonly multiplyAdd: (a: Code, b: Code, c: Code) => Code

  constructor(fused: boolean) {
    this.multiplyAdd = multiplyAdd(fused)
  }

  parameter(type: WasmType): Local {
    this.#parameters.push(type)
    return local(this.#parameters.length - 1)
  }

  local(type: WasmType): Local {
    this.#locals.push(type)
    return local(this.#parameters.length + this.#locals.length - 1)
  }

  /** A new local that holds `value`: the code that sets it, and the local. */
  let(type: WasmType, value: Code): readonly [Code, Local] {
    const x = this.local(type)
    return [x.set(value), x]
  }

  /** `for (i = from; i < to; i += step) body`, with `to` unsigned and evaluated at every turn. */
  loop(i: Local, from: Code, to: Code, step: number, body: Code): Code {
    const turn = [0x03, EMPTY_BLOCK, body, i.set(i32.add(i.get, step)), branchIf(i32.lessUnsigned(i.get, to), 0), 0x0b]
    return [i.set(from), block([branchIf(i32.equal(i32.lessUnsigned(i.get, to), i32.const(0)), 0), turn])]
  }

  /** `body(i)` `count` times, i from 0; written out when there are few turns. */
  times(count: number, body: (i: Code) => Code): Code {
    if (count === 0) return []
    if (count === 1) return body(i32.const(0))
    const i = this.local('i32')
    const turn = [body(i.get), i.set(i32.add(i.get, 1)), branchIf(i32.lessUnsigned(i.get, i32.const(count)), 0)]
    return [i.set(i32.const(0)), 0x03, EMPTY_BLOCK, turn, 0x0b]
  }

  if(condition: Code, then: Code, otherwise?: Code): Code {
    return [condition, 0x04, EMPTY_BLOCK, then, otherwise === undefined ? [] : [0x05, otherwise], 0x0b]
  }

  /** Ends the function: parameters must all be declared before the first local. */
  finish(name: string, body: Code, { exported, result }: { exported: boolean; result?: WasmType }): WasmFunction {
    return { name, parameters: this.#parameters, locals: this.#locals, body, exported, ...(result && { result }) }
  }
}

function local(index: number): Local {
  return { get: [0x20, unsigned(index)], set: (value) => [value, 0x21, unsigned(index)] }
}
