/** What a model knows of its samples and classes, and what it takes over from data that it learns from. */
import { settleClassNames } from '../data/class-names.ts'
import type { Dataset } from '../data/dataset.ts'
import type { Preprocessing, PreprocessingOptions } from '../data/preprocessing.ts'
import { preprocessingFor } from '../data/preprocessing.ts'
import type { DType } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import type { Objective } from '../network/objective.ts'
import type { LearnedFrom } from '../saved/model-file.ts'
import type { Lesson } from '../training/begin.ts'

export interface Knowledge {
  /** One name per class. */
  readonly classNames: readonly string[] | undefined
  /** What makes an input of a picture. */
  readonly preprocessing: Preprocessing | undefined
  readonly learnedFrom: LearnedFrom
}

/** The inputs of a model. */
type Inputs = Readonly<Record<string, Shape>>

/** Preprocessing for a model with these inputs. Throws E_OPTION for wrong settings, E_MISMATCH where it makes other samples. */
export function preprocessingOf(
  how: PreprocessingOptions,
  inputs: Inputs,
  { dtypeOf, where }: { readonly dtypeOf: (input: string) => DType | undefined; readonly where: string },
): Preprocessing {
  const fields = Object.entries(inputs).map(([name, shape]) => [name, { shape, dtype: dtypeOf(name) }])
  return preprocessingFor(how, Object.fromEntries(fields), where)
}

/** What a model that learns from these data knows after that; throws where its preprocessing makes other samples. */
export function knowledgeAfter(
  data: Lesson['data'],
  { inputs: fieldOf }: Objective,
  { inputs, before }: { readonly inputs: Inputs; readonly before: Omit<Knowledge, 'learnedFrom'> },
): Knowledge {
  const dtypeOf = (input: string): DType => data.inputs[fieldOf[input]].dtype
  const { preprocessing: own, classNames }: Partial<Dataset> = data
  const how = own ?? before.preprocessing
  return {
    classNames: classNames ? settleClassNames(classNames, data.name) : before.classNames,
    preprocessing: how && preprocessingOf(how, inputs, { dtypeOf, where: data.name }),
    learnedFrom: Object.fromEntries(Object.keys(fieldOf).map((name) => [name, dtypeOf(name)])),
  }
}
