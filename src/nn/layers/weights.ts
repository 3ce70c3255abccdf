/** What layers say of a weight: the options `kernelInitializer`, `kernelRegularizer`, `kernelConstraint`, and the weight from them. */
import type { Option, Settled } from '../../base/options.ts'
import type { Shape } from '../../graph/shape.ts'
import type { Constraint } from '../constraints.ts'
import { constraintOption } from '../constraints.ts'
import type { Initializer } from '../initializers.ts'
import { initializerOption } from '../initializers.ts'
import type { WeightSpec } from '../layer.ts'
import type { Regularizer } from '../regularizers.ts'
import { regularizerOption } from '../regularizers.ts'

/** The options of a weight that is called `name`. */
export type WeightOptions<N extends string> = {
  readonly [K in `${N}Initializer`]: Option<Initializer, false>
} & {
  readonly [K in `${N}Regularizer`]: Option<Regularizer | undefined, false>
} & {
  readonly [K in `${N}Constraint`]: Option<Constraint | undefined, false>
}

/** `says` is what the weight is: `the kernel [features, units]`. */
export function weightOptions<const N extends string>(name: N, says: string, initializer: Initializer) {
  const what = says.replace(/ \[.*/, '')
  return {
    [`${name}Initializer`]: initializerOption(`first values of ${says}`, initializer),
    [`${name}Regularizer`]: regularizerOption(`penalty on ${what}`),
    [`${name}Constraint`]: constraintOption(`what ${what} is held to after every update`),
  } as WeightOptions<N>
}

/** The weight of these options; `fanIn` is how many inputs an output sums, where its shape does not say it. */
export function weightSpec<N extends string>(
  name: N,
  shape: Shape,
  options: Settled<WeightOptions<N>>,
  fanIn?: number,
): WeightSpec {
  const said = options as Readonly<Record<string, unknown>>
  return {
    shape,
    initializer: said[`${name}Initializer`] as Initializer,
    regularizer: said[`${name}Regularizer`] as Regularizer | undefined,
    constraint: said[`${name}Constraint`] as Constraint | undefined,
    ...(fanIn !== undefined && { fanIn }),
  }
}
