/** What a model is told of its classes and samples: it must fit the network, where there is one already. */
import { settleClassNames } from '../data/class-names.ts'
import type { PreprocessingOptions } from '../data/preprocessing.ts'
import { settlePreprocessing } from '../data/preprocessing.ts'
import type { Network } from '../network/network.ts'
import type { Known } from './knowledge.ts'
import { preprocessingOf } from './knowledge.ts'
import { checkClassCount } from './samples.ts'

interface Told {
  /** None for a model that waits for an input shape: `checkKnown` looks again when it has one. */
  readonly network: Network | undefined
  /** The model's name, for errors. */
  readonly where: string
}

/** What is known with these class names. Throws E_OPTION for what is no list of names, E_MISMATCH for another number of classes. */
export function toldClassNames(known: Known, names: readonly string[] | undefined, { network, where }: Told): Known {
  const classNames = names === undefined ? undefined : settleClassNames(names, where)
  if (classNames && network) checkClassCount(classNames, network, known.heads, where)
  return { ...known, classNames }
}

/** What is known with this preprocessing, whose defaults are filled in. Throws as `preprocessingOf`. */
export function toldPreprocessing(
  known: Known,
  how: PreprocessingOptions | undefined,
  { network, where }: Told,
): Known {
  if (how === undefined) return { ...known, preprocessing: undefined }
  const dtypeOf = (input: string) => known.learnedFrom[input]
  const preprocessing = network ? preprocessingOf(how, network.inputs, { dtypeOf, where }) : settlePreprocessing(how)
  return { ...known, preprocessing }
}

/** Throws where what a model was told before it had a network does not fit the network. */
export function checkKnown({ classNames, preprocessing, heads }: Known, network: Network, where: string): void {
  if (classNames) checkClassCount(classNames, network, heads, where)
  if (preprocessing) preprocessingOf(preprocessing, network.inputs, { dtypeOf: () => undefined, where })
}
