/** The tables of planted faults, by what they break. To add a fault: a row in its table. */

import { data } from './data.ts'
import { elementwise } from './elementwise.ts'
import type { Fault } from './fault.ts'
import { layers } from './layers.ts'
import { losses } from './losses.ts'
import { ops } from './ops.ts'
import { optimizers } from './optimizers.ts'
import { options } from './options.ts'
import { planner } from './planner.ts'
import { precision } from './precision.ts'
import { random } from './random.ts'
import { training } from './training.ts'
import { wasm } from './wasm.ts'
import { windows } from './windows.ts'

export const rooms: Readonly<Record<string, readonly Fault[]>> = {
  ops,
  elementwise,
  options,
  random,
  optimizers,
  layers,
  windows,
  losses,
  training,
  data,
  planner,
  precision,
  wasm,
}
