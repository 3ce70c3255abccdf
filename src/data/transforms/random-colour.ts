/** Colours by a factor or an amount of its own for every picture: torchvision's ColorJitter in parts, Keras's channel shift. */
import { number } from '../../base/options.ts'
import { brightness, channelShift, contrast, hue, saturation } from './colour.ts'
import { defineTransform, pictureShape, recolour, recolourRgb } from './transform.ts'

/** The factor is between 1 - fraction, not below 0, and 1 + fraction. */
const factorBy = (of: string) => number({ says: `most that the ${of} changes, of what it is`, min: 0, max: 10 })
const rangeOf = (fraction: number): [from: number, to: number] => [Math.max(0, 1 - fraction), 1 + fraction]

export const randomBrightness = defineTransform({
  says: 'makes pictures darker or brighter',
  options: { brightnessFraction: factorBy('brightness') },
  prepare(spec, { brightnessFraction }) {
    const range = rangeOf(brightnessFraction)
    return recolour(spec, 'randomBrightness', (from, into, draws) => brightness(from, into, draws.uniform(0, ...range)))
  },
})

export const randomContrast = defineTransform({
  says: 'moves colours away from the mean grey of the picture, or towards it',
  options: { contrastFraction: factorBy('contrast') },
  prepare(spec, { contrastFraction }) {
    const [range, [, , channels]] = [rangeOf(contrastFraction), pictureShape(spec, 'randomContrast')]
    return recolour(spec, 'randomContrast', (from, into, draws) =>
      contrast(from, into, draws.uniform(0, ...range), channels),
    )
  },
})

export const randomSaturation = defineTransform({
  says: 'makes colours greyer or stronger',
  options: { saturationFraction: factorBy('saturation') },
  prepare(spec, { saturationFraction }) {
    const range = rangeOf(saturationFraction)
    return recolourRgb(spec, 'randomSaturation', (from, into, draws) =>
      saturation(from, into, draws.uniform(0, ...range)),
    )
  },
})

export const randomHue = defineTransform({
  says: 'turns the circle of colours, to either side',
  options: { hueDegrees: number({ says: 'most that is turned', min: 0, max: 180 }) },
  prepare(spec, { hueDegrees }) {
    const most = hueDegrees / 360
    return recolourRgb(spec, 'randomHue', (from, into, draws) => hue(from, into, draws.uniform(0, -most, most)))
  },
})

export const randomChannelShift = defineTransform({
  says: 'adds one number to all channels, within the least and the most of the picture',
  options: { shiftBytes: number({ says: 'most that is added or taken away', min: 0, max: 255 }) },
  prepare(spec, { shiftBytes }) {
    return recolour(spec, 'randomChannelShift', (from, into, draws) =>
      channelShift(from, into, draws.uniform(0, -shiftBytes, shiftBytes)),
    )
  },
})

export const randomGrayscale = defineTransform({
  says: 'makes pictures grey, in three equal channels',
  options: { probability: number({ says: 'probability of it', min: 0, max: 1, default: 0.1 }) },
  prepare(spec, { probability }) {
    return recolourRgb(spec, 'randomGrayscale', (from, into, draws) =>
      draws.uniform(0) < probability ? saturation(from, into, 0) : into.set(from),
    )
  },
})
