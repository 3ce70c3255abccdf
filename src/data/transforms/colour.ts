/** Colours of pictures of bytes, with integers or arithmetic that every host does alike; results are rounded, not cut. */

/** Factors are in steps of 1/65536. */
const BITS = 16
const HALF = 1 << (BITS - 1)

/** ITU-R 601, as Pillow's mode L. */
const greyOf = (from: Uint8Array, at: number): number =>
  (19595 * from[at] + 38470 * from[at + 1] + 7471 * from[at + 2] + HALF) >> BITS

const clamped = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value)

/** Between `base` at factor 0 and `value` at 1, and beyond. */
const blended = (value: number, base: number, factor: number): number =>
  clamped(((base << BITS) + Math.imul(value - base, factor) + HALF) >> BITS)

const stepsOf = (factor: number): number => Math.floor(factor * 2 ** BITS + 0.5)

export function brightness(from: Uint8Array, into: Uint8Array, factor: number): void {
  const steps = stepsOf(factor)
  for (let i = 0; i < into.length; i++) into[i] = blended(from[i], 0, steps)
}

/** From the mean of the picture's greys. */
export function contrast(from: Uint8Array, into: Uint8Array, factor: number, channels: number): void {
  let sum = 0
  for (let at = 0; at < from.length; at += channels) sum += channels === 3 ? greyOf(from, at) : from[at]
  const mean = Math.floor((sum * channels) / from.length + 0.5)
  const steps = stepsOf(factor)
  for (let i = 0; i < into.length; i++) into[i] = blended(from[i], mean, steps)
}

/** From the grey of each pixel; factor 0 makes greys. */
export function saturation(from: Uint8Array, into: Uint8Array, factor: number): void {
  const steps = stepsOf(factor)
  for (let at = 0; at < from.length; at += 3) {
    const grey = greyOf(from, at)
    for (let c = at; c < at + 3; c++) into[c] = blended(from[c], grey, steps)
  }
}

/** The circle of colours turned; torchvision's adjust_hue with `turn` of the whole circle. */
export function hue(from: Uint8Array, into: Uint8Array, turn: number): void {
  for (let at = 0; at < from.length; at += 3) {
    const [r, g, b] = [from[at], from[at + 1], from[at + 2]]
    const most = Math.max(r, g, b)
    const range = most - Math.min(r, g, b)
    const sixth =
      range === 0 ? 0 : most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range
    const turned = sixth + 6 * turn
    for (let c = 0; c < 3; c++) {
      // a channel is full for two sixths, rises or falls for one, and is empty for two; red, green, blue begin at 5, 3, 1
      const k = turned + 5 - 2 * c
      const place = k - 6 * Math.floor(k / 6)
      into[at + c] = Math.floor(most - range * Math.max(0, Math.min(place, 4 - place, 1)) + 0.5)
    }
  }
}

/** Keras's apply_channel_shift: `amount` is added, within the least and the most that the picture has. */
export function channelShift(from: Uint8Array, into: Uint8Array, amount: number): void {
  let [least, most] = [255, 0]
  for (const value of from) {
    if (value < least) least = value
    if (value > most) most = value
  }
  for (let i = 0; i < into.length; i++) into[i] = Math.floor(Math.max(least, Math.min(most, from[i] + amount)) + 0.5)
}
