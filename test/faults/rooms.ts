/** The tables of planted faults, by what they break. To add a fault: a row in its table. */

import { data } from './data.ts'
import { elementwise } from './elementwise.ts'
import type { Fault } from './fault.ts'
import { layers } from './layers.ts'
import { losses } from './losses.ts'
import { metrics } from './metrics.ts'
import { ops } from './ops.ts'
import { optimizers } from './optimizers.ts'
import { options } from './options.ts'
import { planner } from './planner.ts'
import { precision } from './precision.ts'
import { random } from './random.ts'
import { reports } from './reports.ts'
import { sequences } from './sequences.ts'
import { training } from './training.ts'
import { wasm } from './wasm.ts'
import { windows } from './windows.ts'
import { zoo } from './zoo.ts'

export const rooms: Readonly<Record<string, readonly Fault[]>> = {
  ops,
  elementwise,
  options,
  random,
  optimizers,
  layers,
  sequences,
  windows,
  losses,
  metrics,
  training,
  zoo,
  reports,
  data,
  planner,
  precision,
  wasm,
}
