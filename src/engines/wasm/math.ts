/**
 * Functions of four floats at a time that hardware lacks. Polynomials after Cephes (Moshier); errors in ulp are held
 * by test/math.test.ts: exp and log below 1, tanh below 1.5, the sine within a quarter turn below 2; subnormal numbers,
 * infinities and NaN come and go as they should.
 */
import type { Code, WasmFunction } from './assembler.ts'
import type { Local } from './function.ts'
import { FunctionWriter } from './function.ts'
import { f32x4, i32x4, v128 } from './instructions.ts'

type Body = (f: FunctionWriter, x: Local) => Code

/** c[0] x^n + c[1] x^(n-1) + ... by Horner's rule. */
function polynomial(f: FunctionWriter, x: Code, coefficients: readonly number[]): Code {
  return coefficients
    .slice(1)
    .reduce<Code>((sum, c) => f.multiplyAdd(sum, x, f32x4.const(c)), f32x4.const(coefficients[0]))
}

/** 2^n for integers n in -126 .. 127. */
const powerOfTwo = (n: Code): Code => i32x4.shiftLeft(i32x4.add(n, i32x4.const(127)), 23)

/** exp(x): x = n ln 2 + r, a polynomial for r, 2^n in two halves so that subnormal results come out right. */
const exp: Body = (f, x) => {
  const [setClamped, clamped] = f.let('v128', f32x4.min(f32x4.max(x.get, f32x4.const(-104)), f32x4.const(89)))
  const [setN, n] = f.let('v128', f32x4.nearest(f32x4.mul(clamped.get, f32x4.const(Math.LOG2E))))
  const high = f.multiplyAdd(n.get, f32x4.const(-0.693359375), clamped.get)
  const [setR, r] = f.let('v128', f.multiplyAdd(n.get, f32x4.const(2.1219444e-4), high))
  const tail = polynomial(
    f,
    r.get,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  )
  const [setP, p] = f.let('v128', f32x4.add(f.multiplyAdd(tail, f32x4.mul(r.get, r.get), r.get), f32x4.const(1)))
  const [setInt, int] = f.let('v128', i32x4.fromFloat(n.get))
  const [setHalf, half] = f.let('v128', i32x4.shiftRight(int.get, 1))
  const result = f32x4.mul(f32x4.mul(p.get, powerOfTwo(half.get)), powerOfTwo(i32x4.sub(int.get, half.get)))
  return [setClamped, setN, setR, setP, setInt, setHalf, result]
}

/** log(x): x = m 2^e with m in [sqrt(1/2), sqrt(2)), a polynomial for m - 1. */
const log: Body = (f, x) => {
  const [setTiny, tiny] = f.let('v128', f32x4.lt(x.get, f32x4.const(2 ** -126)))
  const [setBits, bits] = f.let('v128', v128.select(tiny.get, f32x4.mul(x.get, f32x4.const(2 ** 23)), x.get))
  const [setE, e] = f.let('v128', f32x4.fromInt(i32x4.sub(i32x4.shiftRightUnsigned(bits.get, 23), i32x4.const(126))))
  const [setM, m] = f.let('v128', v128.or(v128.and(bits.get, i32x4.const(0x007fffff)), i32x4.const(0x3f000000)))
  const [setLow, low] = f.let('v128', f32x4.lt(m.get, f32x4.const(Math.SQRT1_2)))
  const shift = v128.and(low.get, f32x4.const(1))
  const [setExp, exponent] = f.let('v128', f32x4.sub(f32x4.sub(e.get, v128.and(tiny.get, f32x4.const(23))), shift))
  const [setY, y] = f.let('v128', f32x4.sub(f32x4.add(m.get, v128.and(low.get, m.get)), f32x4.const(1)))
  const [setZ, z] = f.let('v128', f32x4.mul(y.get, y.get))
  const series = polynomial(
    f,
    y.get,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  )
  const cubic = f32x4.mul(f32x4.mul(series, y.get), z.get)
  const small = f.multiplyAdd(exponent.get, f32x4.const(-2.1219444e-4), cubic)
  const sum = f32x4.add(y.get, f.multiplyAdd(z.get, f32x4.const(-0.5), small))
  const [setResult, result] = f.let('v128', f.multiplyAdd(exponent.get, f32x4.const(0.693359375), sum))
  const atInfinity = v128.select(f32x4.eq(x.get, f32x4.const(Infinity)), x.get, result.get)
  const atZero = v128.select(f32x4.eq(x.get, f32x4.const(0)), f32x4.const(-Infinity), atInfinity)
  // below zero and NaN: NaN
  const proper = v128.select(f32x4.le(f32x4.const(0), x.get), atZero, f32x4.const(NaN))
  return [setTiny, setBits, setE, setM, setLow, setExp, setY, setZ, setResult, proper]
}

/** tanh(x): a polynomial near 0, elsewhere 1 - 2 / (exp(2 |x|) + 1) with the sign of x. */
const tanh: Body = (f, x) => {
  const [setA, a] = f.let('v128', f32x4.abs(x.get))
  const [setZ, z] = f.let('v128', f32x4.mul(x.get, x.get))
  const series = polynomial(
    f,
    z.get,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  )
  const near = f.multiplyAdd(f32x4.mul(series, z.get), x.get, x.get)
  const power = [f32x4.mul(a.get, f32x4.const(2)), { call: 'exp' }]
  const far = f32x4.sub(f32x4.const(1), f32x4.div(f32x4.const(2), f32x4.add(power, f32x4.const(1))))
  const sign = v128.and(x.get, i32x4.const(-0x80000000))
  return [setA, setZ, v128.or(v128.select(f32x4.lt(a.get, f32x4.const(0.625)), near, far), sign)]
}

/** sin(2 pi x) for x in [-1/4, 1/4]. */
const sineOfTurn: Body = (f, x) => {
  const [setT, t] = f.let('v128', f32x4.mul(x.get, f32x4.const(2 * Math.PI)))
  const [setZ, z] = f.let('v128', f32x4.mul(t.get, t.get))
  const series = polynomial(f, z.get, [-2.3889859e-8, 2.7525562e-6, -1.98408741e-4, 8.333333072e-3, -1.6666666641e-1])
  return [setT, setZ, f.multiplyAdd(f32x4.mul(series, z.get), t.get, t.get)]
}

const bodies: Readonly<Record<string, Body>> = { exp, log, tanh, sineOfTurn }

/** All math functions, each `(v128) -> v128`, for a module that calls them by name. */
export function mathFunctions(fused: boolean): WasmFunction[] {
  return Object.entries(bodies).map(([name, body]) => {
    const f = new FunctionWriter(fused)
    const x = f.parameter('v128')
    return f.finish(name, body(f, x), { exported: false, result: 'v128' })
  })
}
