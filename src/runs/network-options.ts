/** The options of all networks in one table: flags of commands, and what a run records. */
import { FoveaError } from '../base/errors.ts'
import type { Option, OptionTable } from '../base/options.ts'
import { optional } from '../base/options.ts'
import type { ZooName } from '../zoo/index.ts'
import { zoo, zooNames } from '../zoo/index.ts'

type All<T> = (T extends unknown ? (table: T) => void : never) extends (all: infer A) => void ? A : never
type OfAll = All<(typeof zoo)[ZooName]['row']['options']>
type ValueOf<O> = O extends Option<infer T> ? T : never
/** Every option may be left out: each network has its own default. */
type Left<T> = { readonly [N in keyof T]: Option<ValueOf<T[N]> | undefined, false> }

export const networkOptions = Object.fromEntries(
  Object.entries(Object.assign({}, ...zooNames.map((name) => zoo[name].row.options)) as OptionTable).map(
    ([name, option]) => [name, optional(option, `of the network: ${option.says}; its own when absent`)],
  ),
) as Left<OfAll>

type Given = Readonly<Record<string, unknown>>

/** Those that were given. */
export const givenTo = (options: Given): Given =>
  Object.fromEntries(
    Object.keys(networkOptions).flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  )

/** Throws where an option was given that the network does not have; `row` is absent for a file, which has none. */
export function refuseForeignOptions(name: string, given: Given, row?: { readonly options: OptionTable }): void {
  const stranger = Object.keys(given).find((option) => !Object.hasOwn(row?.options ?? {}, option))
  if (stranger === undefined) return
  const owners = zooNames.filter((one) => Object.hasOwn(zoo[one].row.options, stranger))
  const hint = row ? `its options are ${Object.keys(row.options).join(', ')}` : 'a trained model is as its file says'
  throw new FoveaError('E_OPTION', {
    what: `there is no option '${stranger}', which belongs to ${owners.slice(0, 4).join(', ')}${owners.length > 4 ? ' and others' : ''}`,
    where: name,
    hint,
  })
}
