/**
 * Functions of four floats at a time that hardware lacks. Polynomials after Cephes (Moshier), those of erf and normalCdf
 * by scripts/error-function.py. Errors are listed in docs/numerics.md and held by test/engines/math.test.ts: exp and log below
 * 1 ulp, tanh and erf below 1.5, normalCdf below 4.5, pow half an ulp, the sine within a quarter turn below 2; subnormal
 * numbers, infinities and NaN come and go as they should.
 */
import type { Code, WasmFunction } from './assembler.ts'
import type { Local } from './function.ts'
import { FunctionWriter } from './function.ts'
import { f32x4, f64x2, i32x4, v128 } from './instructions.ts'

type Body = (f: FunctionWriter, x: Local, y: Local) => Code

const signOf = (x: Local): Code => v128.and(x.get, i32x4.const(-0x80000000))

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

/** x > 0 as m 2^e with m in [sqrt(1/2), sqrt(2)); m and e are floats. */
function split(f: FunctionWriter, x: Local): { readonly code: Code; readonly m: Local; readonly e: Local } {
  const [setTiny, tiny] = f.let('v128', f32x4.lt(x.get, f32x4.const(2 ** -126)))
  const [setBits, bits] = f.let('v128', v128.select(tiny.get, f32x4.mul(x.get, f32x4.const(2 ** 23)), x.get))
  const [setTop, top] = f.let(
    'v128',
    f32x4.fromInt(i32x4.sub(i32x4.shiftRightUnsigned(bits.get, 23), i32x4.const(126))),
  )
  const [setM, m] = f.let('v128', v128.or(v128.and(bits.get, i32x4.const(0x007fffff)), i32x4.const(0x3f000000)))
  const [setLow, low] = f.let('v128', f32x4.lt(m.get, f32x4.const(Math.SQRT1_2)))
  const shift = v128.and(low.get, f32x4.const(1))
  const [setE, e] = f.let('v128', f32x4.sub(f32x4.sub(top.get, v128.and(tiny.get, f32x4.const(23))), shift))
  const double = m.set(f32x4.add(m.get, v128.and(low.get, m.get)))
  return { code: [setTiny, setBits, setTop, setM, setLow, setE, double], m, e }
}

/** log(x): a polynomial for m - 1, and e ln 2. */
const log: Body = (f, x) => {
  const { code, m, e } = split(f, x)
  const [setY, y] = f.let('v128', f32x4.sub(m.get, f32x4.const(1)))
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
  const small = f.multiplyAdd(e.get, f32x4.const(-2.1219444e-4), cubic)
  const sum = f32x4.add(y.get, f.multiplyAdd(z.get, f32x4.const(-0.5), small))
  const [setResult, result] = f.let('v128', f.multiplyAdd(e.get, f32x4.const(0.693359375), sum))
  const atInfinity = v128.select(f32x4.eq(x.get, f32x4.const(Infinity)), x.get, result.get)
  const atZero = v128.select(f32x4.eq(x.get, f32x4.const(0)), f32x4.const(-Infinity), atInfinity)
  // below zero and NaN: NaN
  const proper = v128.select(f32x4.le(f32x4.const(0), x.get), atZero, f32x4.const(NaN))
  return [code, setY, setZ, setResult, proper]
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
  return [setA, setZ, v128.or(v128.select(f32x4.lt(a.get, f32x4.const(0.625)), near, far), signOf(x))]
}

// P, Q, M and R below, by scripts/error-function.py
const NEAR = [
  7.853519295e-5, -8.010081441e-4, 5.188313508e-3, -2.685380331e-2, 1.128358489e-1, -3.761262579e-1, 1.283791657e-1,
]
const FAR = [
  1.86379186e-4, -2.94765825e-3, 2.18380638e-2, -1.031067541e-1, -6.381448333e-1, -1.12708919, -3.415231171e-4,
]
const MIDDLE = [-7.462894872e-6, 1.129521736e-4, -1.185784986e-3, 9.97307838e-3, -6.649031436e-2, 3.989422777e-1]
const TAIL = [
  2.000277609e-3, -2.285077632e-3, -6.906590492e-3, -3.885497975e-4, 3.672486995e-2, 2.87932099e-2, -3.314044861e-1,
  6.72408036e-1,
]

/** erf(x): x + x P(x^2) below 1, elsewhere 1 - exp(Q(|x|)) with the sign of x. */
const erf: Body = (f, x) => {
  const [setA, a] = f.let('v128', f32x4.min(f32x4.abs(x.get), f32x4.const(4)))
  const [setZ, z] = f.let('v128', f32x4.mul(a.get, a.get))
  const near = f.multiplyAdd(polynomial(f, z.get, NEAR), a.get, a.get)
  const far = f32x4.sub(f32x4.const(1), [polynomial(f, a.get, FAR), { call: 'exp' }])
  return [setA, setZ, v128.or(v128.select(f32x4.lt(a.get, f32x4.const(1)), near, far), signOf(x))]
}

/**
 * normalCdf(x): 1/2 + x M(x^2) within 1; below that exp(-x^2 / 2) R(|x|), so that small results keep their digits, and 1
 * less that above. The upper twelve bits of |x| have an exact square; what they leave of the exponent is small.
 */
const normalCdf: Body = (f, x) => {
  const [setA, a] = f.let('v128', f32x4.min(f32x4.abs(x.get), f32x4.const(14.5)))
  const [setZ, z] = f.let('v128', f32x4.mul(x.get, x.get))
  const middle = f.multiplyAdd(polynomial(f, z.get, MIDDLE), x.get, f32x4.const(0.5))
  const [setOver, over] = f.let('v128', f32x4.add(a.get, f32x4.const(2)))
  const [setQ, q] = f.let('v128', f32x4.div(f32x4.sub(a.get, f32x4.const(2)), over.get))
  const ratio = f32x4.div(polynomial(f, q.get, TAIL), over.get)
  const [setHigh, high] = f.let('v128', v128.and(a.get, i32x4.const(-0x1000)))
  const large = [f32x4.mul(f32x4.mul(high.get, high.get), f32x4.const(-0.5)), { call: 'exp' }]
  const left = f32x4.mul(f32x4.sub(high.get, a.get), f32x4.add(high.get, a.get))
  const small = [f32x4.mul(left, f32x4.const(0.5)), { call: 'exp' }]
  const [setTail, tail] = f.let('v128', f32x4.mul(large, f32x4.mul(small, ratio)))
  const outside = v128.select(f32x4.lt(f32x4.const(0), x.get), f32x4.sub(f32x4.const(1), tail.get), tail.get)
  const result = v128.select(f32x4.lt(a.get, f32x4.const(1)), middle, outside)
  return [setA, setZ, setOver, setQ, setHigh, setTail, result]
}

/** 2 ^ (y log2(x)) for x >= 0 and two lanes in float64, as p 2^n: both as floats, in the lower lanes. */
function powerOfPair(f: FunctionWriter, m: Code, e: Code, y: Code): { readonly code: Code; p: Local; n: Local } {
  const [setM, wide] = f.let('v128', f64x2.widen(m))
  const fraction = f64x2.div(f64x2.sub(wide.get, f64x2.const(1)), f64x2.add(wide.get, f64x2.const(1)))
  const [setS, s] = f.let('v128', fraction)
  const [setZ, z] = f.let('v128', f64x2.mul(s.get, s.get))
  // log2(m) = 2 / ln 2 (s + s^3 / 3 + s^5 / 5 + ...), s = (m - 1) / (m + 1) below 0.172
  const log2 = [6, 5, 4, 3, 2, 1, 0].reduce<Code>(
    (sum, k) => f64x2.add(f64x2.mul(sum, z.get), f64x2.const((2 * Math.LOG2E) / (2 * k + 1))),
    f64x2.const((2 * Math.LOG2E) / 15),
  )
  const power = f64x2.mul(f64x2.widen(y), f64x2.add(f64x2.widen(e), f64x2.mul(log2, s.get)))
  const [setPower, exponent] = f.let('v128', f64x2.min(f64x2.max(power, f64x2.const(-160)), f64x2.const(160)))
  const [setN, n] = f.let('v128', f64x2.nearest(exponent.get))
  const [setR, r] = f.let('v128', f64x2.mul(f64x2.sub(exponent.get, n.get), f64x2.const(Math.LN2)))
  // exp(r) = 1 + r (1 + r / 2 (1 + r / 3 (...))), |r| below 0.347
  const series = [9, 8, 7, 6, 5, 4, 3, 2, 1].reduce<Code>(
    (sum, k) => f64x2.add(f64x2.mul(f64x2.mul(sum, r.get), f64x2.const(1 / k)), f64x2.const(1)),
    f64x2.const(1),
  )
  const [setP, p] = f.let('v128', f64x2.narrow(series))
  return { code: [setM, setS, setZ, setPower, setN, setR, setP, n.set(f64x2.narrow(n.get))], p, n }
}

/** x ^ y as C has it: float64 inside, so that y log2(x) keeps its digits; the sign and the corners afterwards. */
const pow: Body = (f, x, y) => {
  const [setA, a] = f.let('v128', f32x4.abs(x.get))
  const { code, m, e } = split(f, a)
  const proper = v128.and(f32x4.lt(f32x4.const(0), a.get), f32x4.lt(a.get, f32x4.const(Infinity)))
  const atEnds = v128.select(f32x4.eq(a.get, f32x4.const(0)), f32x4.const(-Infinity), a.get)
  const setE = e.set(v128.select(proper, e.get, atEnds))
  const upper = (v: Local): Code => v128.shuffle(v.get, v.get, [2, 3, 2, 3])
  const low = powerOfPair(f, m.get, e.get, y.get)
  const high = powerOfPair(f, upper(m), upper(e), upper(y))
  const [setP, p] = f.let('v128', v128.shuffle(low.p.get, high.p.get, [0, 1, 4, 5]))
  const [setN, n] = f.let('v128', i32x4.fromFloat(v128.shuffle(low.n.get, high.n.get, [0, 1, 4, 5])))
  const [setHalf, half] = f.let('v128', i32x4.shiftRight(n.get, 1))
  const scaled = f32x4.mul(f32x4.mul(p.get, powerOfTwo(half.get)), powerOfTwo(i32x4.sub(n.get, half.get)))
  const isOne = v128.or(f32x4.eq(y.get, f32x4.const(0)), f32x4.eq(a.get, f32x4.const(1)))
  const size = v128.select(isOne, f32x4.const(1), scaled)
  const isFraction = f32x4.ne(y.get, f32x4.floor(y.get))
  const [setY, middle] = f.let('v128', f32x4.mul(y.get, f32x4.const(0.5)))
  const isOdd = v128.andNot(f32x4.ne(middle.get, f32x4.floor(middle.get)), isFraction)
  const signed = v128.or(size, v128.and(signOf(x), isOdd))
  const isBelow = v128.and(f32x4.lt(x.get, f32x4.const(0)), f32x4.lt(f32x4.const(-Infinity), x.get))
  const result = v128.select(v128.and(isBelow, isFraction), f32x4.const(NaN), signed)
  return [setA, code, setE, low.code, high.code, setP, setN, setHalf, setY, result]
}

/** sin(2 pi x) for x in [-1/4, 1/4]. */
const sineOfTurn: Body = (f, x) => {
  const [setT, t] = f.let('v128', f32x4.mul(x.get, f32x4.const(2 * Math.PI)))
  const [setZ, z] = f.let('v128', f32x4.mul(t.get, t.get))
  const series = polynomial(f, z.get, [-2.3889859e-8, 2.7525562e-6, -1.98408741e-4, 8.333333072e-3, -1.6666666641e-1])
  return [setT, setZ, f.multiplyAdd(f32x4.mul(series, z.get), t.get, t.get)]
}

const bodies: Readonly<Record<string, Body>> = { exp, log, tanh, erf, normalCdf, pow, sineOfTurn }

/** All math functions, from one or two v128 to one, for a module that calls them by name. */
export function mathFunctions(fused: boolean): WasmFunction[] {
  return Object.entries(bodies).map(([name, body]) => {
    const f = new FunctionWriter(fused)
    const [x, y = x] = Array.from({ length: Math.min(body.length - 1, 2) }, () => f.parameter('v128'))
    return f.finish(name, body(f, x, y), { exported: false, result: 'v128' })
  })
}
