/** Numbers for people, as Keras writes them where it does. */
import { printable } from '../base/printable.ts'

/** `0.9876`; the small ones as `4.2000e-05`. */
export function metricText(value: number): string {
  if (Math.abs(value) > 1e-3 || value === 0) return value.toFixed(4)
  return value.toExponential(4).replace(/e([+-])(\d)$/, 'e$10$2')
}

/** `accuracy: 0.9876`, one text each. */
export const metricTexts = (logs: Readonly<Record<string, number>>): string[] =>
  Object.entries(logs).map(([name, value]) => `${printable(name)}: ${metricText(value)}`)

/** `9s`, `1:05`, `2:03:09`. */
export function durationText(seconds: number): string {
  const total = Math.round(seconds)
  if (total < 60) return `${total}s`
  const two = (n: number): string => String(n).padStart(2, '0')
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor(total / 60) % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`
}

export const rateText = (perSecond: number): string =>
  `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} images/s`

/** `1,256,080`. */
export const countText = (count: number): string => count.toLocaleString('en')
