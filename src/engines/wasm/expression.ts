/** Scalar expressions rendered for four floats at a time. */
import type { Scalar, ScalarFn } from '../../ops/scalar.ts'
import { scalarKeys } from '../../ops/scalar.ts'
import type { Code } from './assembler.ts'
import type { FunctionWriter, Local } from './function.ts'
import { f32x4, v128 } from './instructions.ts'

const one = f32x4.const(1)
const call =
  (name: string) =>
  (...x: Code[]): Code => [...x, { call: name }]

/** Comparisons as masks. */
const masks: Partial<Record<ScalarFn, (a: Code, b: Code) => Code>> = {
  less: f32x4.lt,
  lessEqual: f32x4.le,
  equal: f32x4.eq,
}

const renderings: { readonly [F in ScalarFn]: (...x: Code[]) => Code } = {
  neg: f32x4.neg,
  abs: f32x4.abs,
  sqrt: f32x4.sqrt,
  exp: call('exp'),
  log: call('log'),
  tanh: call('tanh'),
  erf: call('erf'),
  normalCdf: call('normalCdf'),
  floor: f32x4.floor,
  add: f32x4.add,
  sub: f32x4.sub,
  mul: f32x4.mul,
  div: f32x4.div,
  pow: call('pow'),
  max: f32x4.max,
  min: f32x4.min,
  less: (a, b) => v128.and(f32x4.lt(a, b), one),
  lessEqual: (a, b) => v128.and(f32x4.le(a, b), one),
  equal: (a, b) => v128.and(f32x4.eq(a, b), one),
  select: (condition, a, b) => v128.select(f32x4.ne(condition, f32x4.const(0)), a, b),
}

/**
 * Code that computes `expressions` from the code that reads each argument. Every shared part and every argument is
 * computed once; all results are there before anything that follows.
 */
export function render(
  f: FunctionWriter,
  expressions: readonly Scalar[],
  read: (index: number) => Code,
): { readonly code: Code; readonly results: readonly Local[] } {
  const code: Code[] = []
  const done = new Map<string, Local>()
  const keyOf = scalarKeys()
  const keep = (key: string, value: Code): Local => {
    const [set, local] = f.let('v128', value)
    code.push(set)
    done.set(key, local)
    return local
  }
  const visit = (x: Scalar): Code => {
    if (x.kind === 'constant') return f32x4.const(x.value)
    const key = keyOf(x)
    const known = done.get(key)
    if (known) return known.get
    if (x.kind === 'argument') return keep(key, read(x.index)).get
    if (x.fn === 'select' && x.inputs[0].kind === 'apply') {
      const [condition, a, b] = x.inputs
      const mask = condition.kind === 'apply' ? masks[condition.fn] : undefined
      if (mask && condition.kind === 'apply') {
        const [left, right] = condition.inputs.map(visit)
        return keep(key, v128.select(mask(left, right), visit(a), visit(b))).get
      }
    }
    return keep(key, renderings[x.fn](...x.inputs.map(visit))).get
  }
  const results = expressions.map((x) => {
    const value = visit(x)
    const [set, local] = f.let('v128', value)
    code.push(set)
    return local
  })
  return { code, results }
}
