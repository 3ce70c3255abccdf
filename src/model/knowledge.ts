/** What a model knows of its samples and classes, and what it takes over from data that it learns from. */
import { settleClassNames } from '../data/class-names.ts'
import type { Dataset } from '../data/dataset.ts'
import type { Preprocessing, PreprocessingOptions } from '../data/preprocessing.ts'
import { preprocessingFor } from '../data/preprocessing.ts'
import type { DType } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import type { Objective, ObjectiveOptions } from '../network/objective.ts'
import type { Head } from '../nn/heads.ts'
import type { LearnedFrom, SavedModel } from '../saved/model-file.ts'
import type { Lesson } from '../training/begin.ts'

export interface Knowledge {
  /** One name per class. */
  readonly classNames: readonly string[] | undefined
  /** What makes an input of a picture. */
  readonly preprocessing: Preprocessing | undefined
  readonly learnedFrom: LearnedFrom
}

/** All that a model knows besides its weights. */
export interface Known extends Knowledge {
  /** By output: what turns logits into answers. */
  readonly heads: Readonly<Record<string, Head>>
  /** Loss and metrics of the last training; `evaluate` uses them. */
  readonly objective: ObjectiveOptions | undefined
  /** Parameters that its optimizer keeps, once there was one. */
  readonly optimizerParams?: number
}

/** What a model knows that has not learned from anything. */
export const untrained: Known = {
  heads: {},
  objective: undefined,
  classNames: undefined,
  preprocessing: undefined,
  learnedFrom: {},
}

/** What was saved of it. */
export const knownOf = ({ heads, objective, classNames, preprocessing, learnedFrom = {} }: Saved): Known => ({
  heads,
  objective,
  classNames,
  preprocessing,
  learnedFrom,
})
type Saved = Pick<SavedModel, 'heads' | 'objective' | 'classNames' | 'preprocessing' | 'learnedFrom'>

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
