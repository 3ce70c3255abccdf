/** A network of the zoo is a row: what it is, its options as a table, and how it is built from them. */
import { FoveaError } from '../base/errors.ts'
import type { Conflict, Options, OptionTable, Settled } from '../base/options.ts'
import { flag, integer, list, settle } from '../base/options.ts'
import { model, sequential } from '../model/build.ts'
import type { Model } from '../model/model.ts'
import { modelTable } from '../model/model.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { input } from '../nn/layer.ts'

/** What a network is made of: a stack of layers, or what comes out where `x` is the input. */
type Built = readonly Layer[] | Tensor | Readonly<Record<string, Tensor>>

interface NetworkRow<T extends OptionTable> {
  /** One line for docs. */
  readonly says: string
  /** Its own options; those of every model come after them. */
  readonly options: T & Pick<ReturnType<typeof imageOptions>, 'inputShape'>
  /** Without layers that classify: to look at, or as the beginning of your own network. */
  readonly isBeginning?: true
  /** What is wrong with options that are right one by one: E_OPTION when the network is made. */
  readonly conflict?: (options: Settled<T>) => Conflict | undefined
  readonly build: (options: Settled<T>, x: Tensor) => Built
}

/** A network: call it to make a model. Its row is what docs, flags and runs are made of. */
export type ZooNetwork<T extends OptionTable = OptionTable> = ((options?: Options<T & typeof modelTable>) => Model) & {
  readonly row: Omit<NetworkRow<T>, 'build' | 'conflict' | 'options'> & { readonly options: T }
}

/** Defines a network; the result makes models of it. */
export function defineNetwork<const T extends OptionTable>(network: string, row: NetworkRow<T>): ZooNetwork<T> {
  const table = { ...row.options, ...modelTable }
  const make = (given: object = {}): Model => {
    const settled = settle(table, given, network)
    const { name = network, seed, weightsFrom, engine, threads, precision, inputShape } = settled
    const conflict = row.conflict?.(settled as unknown as Settled<T>)
    if (conflict) throw new FoveaError('E_OPTION', { ...conflict, where: network })
    const options = { name, seed, weightsFrom, engine, threads, precision }
    const x = input(inputShape)
    const built = row.build(settled as unknown as Settled<T>, x)
    if (Array.isArray(built)) return sequential({ ...options, inputShape }, built)
    return model(x, built as Tensor | Readonly<Record<string, Tensor>>, options)
  }
  return Object.assign(make, { row }) as ZooNetwork<T>
}

const size = integer({ says: 'a size', min: 1 })

/** The options of a network that classifies pictures. */
export const imageOptions = (inputShape: readonly [number, number, number], classes: number) => ({
  inputShape: list(size, {
    says: 'sizes of one picture, [height, width, channels]',
    length: 3 as number,
    default: inputShape,
  }),
  classes: integer({ says: 'outputs of the last layer, a logit each', min: 1, default: classes }),
})

/** Heads stand beside the answer: a network without the one has none of the others. */
export const noHeads = ({
  includeTop,
  auxiliary,
}: {
  includeTop: boolean
  auxiliary: boolean
}): Conflict | undefined =>
  auxiliary && !includeTop
    ? {
        what: "'auxiliary' adds heads to a network that classifies",
        got: 'includeTop: false',
        hint: 'leave one of them out',
      }
    : undefined

/** `includeTop` of a network that is used as the beginning of another one. */
export const topOptions = {
  includeTop: flag({ says: 'false: without the layers that classify, up to the last map of features', default: true }),
}
