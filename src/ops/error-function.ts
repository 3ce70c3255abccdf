/**
 * The error function and the normal distribution in float64, which JavaScript lacks: within 1.5e-15 of themselves by
 * mpmath, held to PyTorch's by test/ops/golden.test.ts. Series and continued fraction: Abramowitz and Stegun 7.1.6, 26.2.14.
 */

/** Of the continued fraction, whose rest is about sqrt(n) after n terms. */
const TERMS = 200

/** exp(-x^2) without the rounding of x^2: the square of a float32 is exact. */
function gaussian(x: number): number {
  const high = Math.fround(x)
  return Math.exp(-high * high) * Math.exp((high - x) * (high + x))
}

/** x + 2/3 x^3 + 4/15 x^5 + ... by which exp(x^2) integrates exp(-x^2): all terms of one sign. */
function series(x: number): number {
  let sum = x
  for (let term = x, n = 1; sum + term !== sum; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return sum
}

/** 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x
  if (Math.abs(x) > 3) return x > 0 ? 1 - 2 * normalCdf(-x * Math.SQRT2) : 2 * normalCdf(x * Math.SQRT2) - 1
  return (2 / Math.sqrt(Math.PI)) * gaussian(x) * series(x)
}

/** The share of a standard normal distribution below x, erfc(-x / sqrt(2)) / 2. */
export function normalCdf(x: number): number {
  if (x > 0) return 1 - normalCdf(-x)
  if (x > -1.25) return 0.5 + 0.5 * erf(x / Math.SQRT2)
  if (x < -40) return 0
  // 1 / (t + 1 / (t + 2 / (t + 3 / (t + ...))))
  let fraction = Math.sqrt(TERMS)
  for (let n = TERMS; n > 0; n--) fraction = n / (fraction - x)
  const high = Math.fround(x)
  const density = Math.exp((-high * high) / 2) * Math.exp(((high - x) * (high + x)) / 2)
  return density / Math.sqrt(2 * Math.PI) / (fraction - x)
}
