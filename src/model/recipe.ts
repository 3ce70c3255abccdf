/** What a model is made of. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isListOf } from '../base/realm.ts'
import type { EngineChoice } from '../engines/index.ts'
import type { Network } from '../network/network.ts'
import { isNetwork } from '../network/network.ts'
import type { Placement } from '../network/placement.ts'
import type { Layer } from '../nn/layer.ts'
import { isLayer } from '../nn/layer.ts'

export interface RecipeOf<Model> {
  readonly kind: 'sequential' | 'functional'
  readonly name: string
  readonly seed: number
  readonly engine: EngineChoice
  /** The network, or layers that wait for an input shape. */
  readonly from: Network | readonly Layer[]
  /** Where the weights live already, for a part of another model. */
  readonly placement?: Placement
  /** A model whose layers this one shares: it begins with their weights. */
  readonly weightsFrom?: Model | undefined
}

const isRecipe = ({ name, engine, from }: Partial<Record<keyof RecipeOf<unknown>, unknown>>): boolean =>
  typeof name === 'string' &&
  typeof engine === 'object' &&
  (isNetwork(from) || (isListOf(from, isLayer) && from.length > 0))

/** Throws E_MODEL unless these are the parts of a model. */
export function wantRecipe(recipe: unknown): void {
  if (isRecipe(recipe ?? {})) return
  const hint = 'sequential(...), model(...) and loadModel(...) make models'
  throw new FoveaError('E_MODEL', { what: 'not the parts of a model', where: 'Model', got: show(recipe), hint })
}
