/** What a model is made of, checked. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isListOf } from '../base/realm.ts'
import { isNetwork } from '../network/network.ts'
import { isLayer } from '../nn/layer.ts'

/** Throws E_MODEL for what `sequential` and `model` would not give. */
export function wantRecipe(recipe: unknown): void {
  const { name, engine, from } = (recipe ?? {}) as Readonly<Record<string, unknown>>
  const isWired = isNetwork(from) || (isListOf(from, isLayer) && from.length > 0)
  if (typeof name === 'string' && typeof engine === 'object' && isWired) return
  const hint = 'sequential(...), model(...) and loadModel(...) make models'
  throw new FoveaError('E_MODEL', { what: 'not the parts of a model', where: 'Model', got: show(recipe), hint })
}
