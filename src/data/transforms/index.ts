/** Transforms by name: what can be done to samples when they are read. */
import { randomBlur } from './random-blur.ts'
import {
  randomBrightness,
  randomChannelShift,
  randomContrast,
  randomGrayscale,
  randomHue,
  randomSaturation,
} from './random-colour.ts'
import { randomCrop } from './random-crop.ts'
import { randomErasing } from './random-erasing.ts'
import { randomFlip } from './random-flip.ts'
import { randomNoise } from './random-noise.ts'
import { randomPerspective } from './random-perspective.ts'
import { randomResizedCrop } from './random-resized-crop.ts'
import { randomRotation } from './random-rotation.ts'
import { randomShear } from './random-shear.ts'
import { randomShift } from './random-shift.ts'
import { randomZoom } from './random-zoom.ts'
import { rescale } from './rescale.ts'

export const transforms = {
  ...{ randomCrop, randomFlip, randomPerspective, randomRotation, randomShear, randomShift, randomZoom },
  ...{ randomBrightness, randomChannelShift, randomContrast, randomGrayscale, randomHue, randomSaturation },
  ...{ randomBlur, randomErasing, randomNoise, randomResizedCrop, rescale },
} as const
export type TransformName = keyof typeof transforms
