/** Names of classes, for every place that sets them: a text for each, in the order of the classes. */

import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isListOf } from '../base/realm.ts'

/** A copy that cannot be changed; throws E_OPTION for anything but a list of texts. */
export function settleClassNames(given: unknown, where: string): readonly string[] {
  if (isListOf<string>(given, (name) => typeof name === 'string')) return Object.freeze([...given])
  const expected = "a list of texts, one per class: ['cat', 'dog']"
  throw new FoveaError('E_OPTION', { what: 'classNames must be a list of texts', where, expected, got: show(given) })
}
