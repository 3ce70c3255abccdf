/** Layers of a user's own. */
import { FoveaError } from '../base/errors.ts'
import type { OptionTable } from '../base/options.ts'
import type { LayerMaker, LayerRow } from './layer.ts'
import { defineLayer as define } from './layer.ts'
import { layers } from './layers/index.ts'

/**
 * Defines a kind of layer; the result makes layers from options. `type` is its word in model files: E_OPTION where a layer of
 * Fovea's has it, since a file would be read as that one.
 */
export function defineLayer<const T extends OptionTable, W extends string = never>(
  type: string,
  row: LayerRow<T, W>,
): LayerMaker<T> {
  if (Object.hasOwn(layers, type)) {
    const hint = 'give yours another type'
    throw new FoveaError('E_OPTION', { what: `there is a layer '${type}' already`, where: 'defineLayer', hint })
  }
  return define(type, row)
}
