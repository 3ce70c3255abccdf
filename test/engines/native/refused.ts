/** What native-robust.test.ts asks the addon for in vain: changes in descriptions that are right, and the complaints. */
import { expressionFields } from '../../../src/engines/native/expression.ts'
import { functionCodes } from '../../../src/engines/native/instructions.ts'
import { argument, s } from '../../../src/ops/scalar.ts'

/** For what no type would let through. */
// biome-ignore lint/suspicious/noExplicitAny: the point of this file
export type Wrong = any

export const far = 2 ** 46
export const endless = Object.assign([], { length: 2 ** 32 - 1 })
export const float = (...shape: number[]) => ({ shape, dtype: 'float32' }) as const
const tailOver = (...shape: number[]) =>
  expressionFields(shape, [float(...shape)], [s.mul(argument(0), 2)], ['float32'])

/** What is changed in a description that is right, and the complaint. */
export type Change = Readonly<Record<string, unknown>> | ((right: Wrong) => Wrong)
export const wrongOperations: Readonly<
  Record<string, readonly (readonly [change: Change, code: string, ...words: string[]])[]>
> = {
  convolution: [
    [{ kind: undefined }, 'E_BUG', 'kind'],
    [{ kind: 'convolutionn' }, 'E_BUG', 'kind', 'convolution: '],
    [{ kind: 7 }, 'E_BUG', 'kind'],
    [{ where: 7, of: 7 }, 'E_BUG', 'operation: '],
    [{ of: 'sideways' }, 'E_BUG', 'of'],
    [{ x: undefined }, 'E_BUG', "'x'", 'list'],
    [{ x: '2367' }, 'E_BUG', "'x'", 'list'],
    [{ x: new Int32Array(4) }, 'E_BUG', "'x'", 'list'],
    [{ x: [] }, 'E_BUG'],
    [{ x: endless }, 'E_BUG', "'x'", 'entries'],
    [{ x: [2] }, 'E_BUG'],
    [{ x: [2, 3, 6, 7, 8, 9] }, 'E_BUG'],
    ...[NaN, Infinity, -Infinity, 6.5, 0, -6, 2 ** 31, 2 ** 53, 1e300, '6', null, {}, [6]].map(
      (size) => [{ x: [2, 3, size, 7] }, 'E_BUG', "'x'", 'whole numbers'] as const,
    ),
    [{ y: [2, 5, 6, 8] }, 'E_BUG', "'y'"],
    [{ y: [2, 5, 6] }, 'E_BUG'],
    [{ kernel: [2, 5, 3, 3, 3] }, 'E_BUG', "'y'"],
    [{ kernel: [2 ** 30, 2 ** 30, 2 ** 30, 3, 3] }, 'E_BUG', "'y'"],
    [{ kernel: [1, 5, 3, 2 ** 30, 3], dilation: [2 ** 24, 1] }, 'E_BUG', "'y'"],
    [{ x: [2 ** 20, 3, 2 ** 20, 2 ** 20], y: [2 ** 20, 5, 2 ** 20, 2 ** 20] }, 'E_LIMIT', 'too large'],
    [{ strides: [0, 1] }, 'E_BUG', 'strides'],
    [{ strides: [1] }, 'E_BUG', 'strides'],
    [{ dilation: [1, 2 ** 25] }, 'E_BUG', 'dilation'],
    [{ before: [-1, 1] }, 'E_BUG', 'before'],
    [{ after: [1, 1, 1] }, 'E_BUG', 'after'],
    [{ dtype: 'int32' }, 'E_BUG', 'dtype'],
    [{ dtype: undefined }, 'E_BUG', 'dtype'],
    [{ result: 'float64' }, 'E_BUG', 'result'],
    [{ result: 'bfloat16', tail: undefined }, 'E_ENGINE', 'convolution: ', 'oneDNN'],
    [{ tail: 7 }, 'E_BUG', 'tail'],
    [{ tail: {} }, 'E_BUG', 'sizes'],
    [{ tail: tailOver(2, 6, 7, 4) }, 'E_BUG', 'tail'],
    [({ tail }) => ({ tail: { ...tail, inputs: [] } }), 'E_BUG'],
    [({ tail }) => ({ tail: { ...tail, inputs: tail.inputs.toReversed() } }), 'E_BUG', 'tail'],
    [({ tail }) => ({ tail: { ...tail, outputs: [...tail.outputs, ...tail.outputs] } }), 'E_BUG', 'tail'],
    [({ tail }) => ({ tail: { ...tail, outputs: [{ ...tail.outputs[0], dtype: 'bfloat16' }] } }), 'E_BUG', 'tail'],
  ],
  'gradient for the input, turned': [
    [{ y: [2, 3, 3, 4], strides: [2, 2], tail: undefined }, 'E_BUG', 'turned: '],
    [{ before: [5, 1], after: [5, 1], y: [2, 3, 14, 7], tail: undefined }, 'E_BUG', 'turned: '],
  ],
  'convolution of few channels': [
    [{ channels: 17 }, 'E_BUG', 'channels'],
    [{ filters: 15 }, 'E_BUG', 'filters'],
    [{ before: [40, 1] }, 'E_BUG', 'before'],
    [{ images: far }, 'E_LIMIT', 'too large'],
    [{ tail: tailOver(9, 8, 9, 11) }, 'E_BUG', 'tail'],
  ],
  'gradient for the kernel, few channels': [
    [{ channels: 17 }, 'E_BUG', 'channels'],
    [{ window: [3, 4] }, 'E_BUG', 'window'],
    [{ window: [3] }, 'E_BUG', 'window', 'two'],
    [
      { filters: 2 ** 20, window: [2 ** 20, 3], output: [1, 1], before: [0, 0], images: far, channels: 1 },
      'E_LIMIT',
      'too large',
    ],
    [{ images: far }, 'E_LIMIT', 'too large'],
    [
      { output: [1, 2 ** 18], strides: [2 ** 20, 2 ** 10], window: [2 ** 15, 3], before: [0, 0] },
      'E_LIMIT',
      'too large',
    ],
    [{ before: [40, 1] }, 'E_BUG', 'before'],
    [{ dtype: 'uint8' }, 'E_BUG', 'dtype'],
  ],
  'gradient for the kernel, few channels, of a pooling': [
    [({ pooled }) => ({ pooled: { ...pooled, images: 8 } }), 'E_BUG', 'pooled'],
    [({ pooled }) => ({ pooled: { ...pooled, input: [1, 8, 10] } }), 'E_BUG', 'pooled'],
    [({ pooled }) => ({ pooled: { ...pooled, before: [0, 2, 0] } }), 'E_BUG', 'reach'],
    [{ pooled: 7 }, 'E_BUG', 'pooled'],
  ],
  'convolution by Winograd': [
    [{ of: 'input' }, 'E_BUG', 'of'],
    [{ channels: 15 }, 'E_BUG', 'channels'],
    [{ filters: 15 }, 'E_BUG', 'filters'],
    ...[2, 4, 6].map((window) => [{ window }, 'E_BUG', 'window'] as const),
    ...[2, 4, 7].map((points) => [{ points }, 'E_BUG', 'points'] as const),
    [{ points: 3 }, 'E_BUG', 'points', '2 by 2'],
    [{ points: 3, window: 5 }, 'E_BUG', 'points'],
    [{ input: [9] }, 'E_BUG', 'input', 'two'],
    [{ before: [-1, 1] }, 'E_BUG', 'before'],
    [{ images: far }, 'E_LIMIT', 'too large'],
    [{ tail: tailOver(3, 9, 19, 11) }, 'E_BUG', 'tail'],
  ],
  'a kernel at the points of Winograd': [
    [{ channels: 15 }, 'E_BUG', 'channels'],
    [{ window: 4 }, 'E_BUG', 'window'],
    [{ points: 3 }, 'E_BUG', 'points'],
    [{ channels: 2 ** 21 }, 'E_BUG', 'channels'],
  ],
  'convolution by Winograd, pictures of 2 x 2': [
    [{ input: [2, 3] }, 'E_BUG', 'points'],
    [{ output: [1, 2] }, 'E_BUG', 'points'],
    [{ before: [0, 1] }, 'E_BUG', 'points'],
  ],
  'one row': [
    [{ k: 0 }, 'E_BUG', "'k'"],
    [{ k: far, n: far }, 'E_LIMIT', 'too large'],
    [{ tail: tailOver(1, 71) }, 'E_BUG', 'tail'],
  ],
  'weights for one row': [
    [{ n: 1.5 }, 'E_BUG', "'n'"],
    [{ k: far, n: 33 }, 'E_LIMIT', 'too large'],
  ],
  'convolution by tiles': [
    [{ channels: 0 }, 'E_BUG', 'channels'],
    [{ window: [3] }, 'E_BUG', 'window', 'two'],
    [{ images: far }, 'E_LIMIT', 'too large'],
    [{ input: [9, 4] }, 'E_BUG', 'output', 'reach'],
    [{ apart: [0, 1] }, 'E_BUG', 'apart'],
    [{ result: 'int32' }, 'E_BUG', 'result'],
    [{ tail: tailOver(3, 9, 10, 19) }, 'E_BUG', 'tail'],
  ],
  'a kernel as tiles': [
    [{ window: [2 ** 16, 2 ** 16], channels: 2 ** 20, filters: 2 ** 20 }, 'E_LIMIT', 'too large'],
    [{ dtype: 'uint8' }, 'E_BUG', 'dtype'],
  ],
  'gradient for the kernel by tiles': [
    [{ filters: 0 }, 'E_BUG', 'filters'],
    [{ input: [12, 10] }, 'E_BUG', 'output', 'reach'],
    [{ images: far }, 'E_LIMIT', 'too large'],
    [{ window: [2 ** 11, 2 ** 10] }, 'E_LIMIT', 'kernel', 'too large'],
  ],
  matmul: [
    [{ m: 0 }, 'E_BUG', "'m'"],
    [{ k: far + 1 }, 'E_BUG', "'k'"],
    [{ m: far, n: far }, 'E_LIMIT', 'too large'],
    [{ dtype: 'uint8' }, 'E_BUG', 'dtype'],
    [{ result: 'bfloat16' }, 'E_ENGINE', 'matmul: ', 'oneDNN'],
    [{ tail: tailOver(7, 10) }, 'E_BUG', 'tail'],
  ],
  maxPool: [
    [{ of: 'minPool' }, 'E_BUG', 'of'],
    [{ input: [6, 8] }, 'E_BUG', 'input', 'three'],
    [{ output: [1, 4, 4] }, 'E_BUG', 'reach'],
    [{ before: [0, 3, 0] }, 'E_BUG', 'reach'],
    [{ strides: [1, 2 ** 24, 2 ** 24], output: [1, 2 ** 24, 2 ** 24] }, 'E_BUG', 'reach'],
    [{ images: far }, 'E_LIMIT', 'too large'],
    [{ dtype: 'int32' }, 'E_BUG', 'dtype'],
  ],
  'maxPool with places': [
    [{ window: [1, 16, 8], output: [1, 1, 1] }, 'E_BUG', 'places'],
    [{ of: 'averagePool' }, 'E_BUG', 'places'],
  ],
  'maxPool gradient': [[{ tail: tailOver(2, 6, 8, 5) }, 'E_BUG', 'tail']],
  elementwise: [
    [{ sizes: [] }, 'E_BUG', 'sizes'],
    [{ sizes: [4, 0, 6] }, 'E_BUG', 'sizes'],
    [{ sizes: [2 ** 23, 2 ** 23, 2] }, 'E_LIMIT', 'too large'],
    [{ inputs: [7] }, 'E_BUG', 'inputs', 'objects'],
    [{ inputs: [{ dtype: 'float32', walk: 'sideways' }] }, 'E_BUG', 'walk'],
    [{ inputs: [{ dtype: 'float32', walk: 'general' }] }, 'E_BUG', 'strides'],
    [{ inputs: [{ dtype: 'float32', walk: 'general', strides: [1, 1] }] }, 'E_BUG', 'strides', 'axis'],
    [{ inputs: [{ dtype: 'float32', walk: 'general', strides: [-1, 0, 0] }] }, 'E_BUG', 'strides'],
    [{ inputs: [{ dtype: 'float32', walk: 'general', strides: [far, 0, 0] }] }, 'E_LIMIT', 'too large'],
    [{ inputs: [{ dtype: 'text', walk: 'whole' }] }, 'E_BUG', 'dtype'],
    [{ constants: ['1'] }, 'E_BUG', 'constants'],
    [{ constants: undefined }, 'E_BUG', 'constants'],
    [{ constants: Array(5000).fill(1) }, 'E_BUG', 'values'],
    [{ constants: endless }, 'E_BUG', 'constants'],
    [{ values: 4097 }, 'E_BUG', 'values'],
    [{ values: 0 }, 'E_BUG', 'values'],
    [{ code: [10, 6] }, 'E_BUG', 'code', 'five'],
    [{ code: [Object.keys(functionCodes).length, 7, 0, 0, 0] }, 'E_BUG', 'code', 'functions'],
    [({ inputs }) => ({ inputs: Array(257).fill(inputs[0]) }), 'E_BUG', 'inputs'],
    [{ code: [-1, 7, 0, 0, 0] }, 'E_BUG', 'code'],
    [{ code: [NaN, 7, 0, 0, 0] }, 'E_BUG', 'code'],
    [{ code: [10, 0, 0, 0, 0] }, 'E_BUG', 'code', 'inputs'],
    ...[1, 2, 3, 4].map(
      (at) => [({ values }: Wrong) => ({ code: [10, 7, 0, 0, 0].with(at, values) }), 'E_BUG', 'code'] as const,
    ),
    [{ outputs: [] }, 'E_BUG', 'outputs'],
    [({ values }) => ({ outputs: [{ value: values, dtype: 'float32' }] }), 'E_BUG', 'value'],
    [{ outputs: [{ value: 7, dtype: 'uint8' }] }, 'E_BUG', 'dtype'],
  ],
  sum: [
    [{ outer: 2 }, 'E_BUG', 'outer'],
    [{ inner: 0 }, 'E_BUG', 'inner'],
    [{ outer: far, count: far }, 'E_LIMIT', 'too large'],
    [{ head: undefined }, 'E_BUG', 'head'],
    [
      ({ head }) => ({ head: { ...head, outputs: head.outputs.map((x: Wrong) => ({ ...x, dtype: 'bfloat16' })) } }),
      'E_BUG',
      'head',
    ],
    ...[undefined, 0, 3].map((sums) => [{ sums }, 'E_BUG', 'sums'] as const),
  ],
  'sums of short rows': [[{ outer: 840, count: 1, sums: 3 }, 'E_BUG', 'sums']],
  'sums of neighbours': [
    [{ rows: 41 }, 'E_BUG', 'rows'],
    [{ rows: far }, 'E_LIMIT', 'too large'],
    [{ before: 19 }, 'E_BUG', 'before'],
    [{ after: -1 }, 'E_BUG', 'after'],
    [{ width: 10, rows: 76 }, 'E_BUG', 'width'],
    [{ head: undefined }, 'E_BUG', 'head'],
  ],
  copy: [
    [{ sizes: [] }, 'E_BUG', 'sizes'],
    [{ source: [1, 3] }, 'E_BUG', 'sizes'],
    [{ source: [-1, 3, 12] }, 'E_BUG', 'source'],
    [{ source: [far, 3, 12] }, 'E_LIMIT', 'too large'],
    [{ target: [0, 0, 0] }, 'E_BUG', 'target'],
    [{ sizes: [2 ** 40], source: [0], target: [0] }, 'E_BUG', 'target'],
    [{ sourceOffset: -1 }, 'E_BUG', 'sourceOffset'],
    [{ dtype: 'bytes' }, 'E_BUG', 'dtype'],
  ],
  fill: [
    ...[NaN, Infinity, 2 ** 31, -1e300].map((value) => [{ value }, 'E_BUG', 'value'] as const),
    [{ value: '7' }, 'E_BUG', 'value'],
    [{ elements: 0 }, 'E_BUG', 'elements'],
  ],
  extreme: [
    [{ count: 0 }, 'E_BUG', 'count'],
    [{ outer: far }, 'E_LIMIT', 'too large'],
    [{ dtype: 'int32' }, 'E_BUG', 'dtype'],
  ],
  softmax: [
    [{ width: 0 }, 'E_BUG', 'width'],
    [{ rows: far }, 'E_LIMIT', 'too large'],
    [{ dtype: 'uint8' }, 'E_BUG', 'dtype'],
  ],
  gather: [
    [{ rows: -5 }, 'E_BUG', 'rows'],
    [{ count: far }, 'E_LIMIT', 'too large'],
  ],
  'gather gradient': [[{ rows: far }, 'E_LIMIT', 'too large']],
  oneHot: [[{ depth: far }, 'E_LIMIT', 'too large']],
  'random, a mask': [[{ atLeast: '1' }, 'E_BUG', 'atLeast']],
  random: [
    [{ stream: 2 ** 32 }, 'E_BUG', 'stream'],
    [{ rowSize: 0 }, 'E_BUG', 'rowSize'],
  ],
}
