/** Descriptions of the native addon's operations that are right, one or more of each kind, and one way to run them. */
import type { Addon, Description, Machine, MadeOperation } from '../../../src/engines/native/addon.ts'
import { findAddon } from '../../../src/engines/native/addon.ts'
import { expressionFields } from '../../../src/engines/native/expression.ts'
import { argument, s } from '../../../src/ops/scalar.ts'

/** The addon; only where `available('native')` says that it is there. */
export function theAddon(): Addon {
  const found = findAddon()
  if ('missing' in found) throw new Error(found.missing)
  return found.addon
}

/** Why a test of this is skipped: oneDNN has products in bfloat16 from AVX-512 on. */
export function skipFor({ kind, dtype }: Description): string | false {
  if (kind.startsWith('tiled') && !theAddon().info().tiles) return 'this processor has no tiles'
  const isLowProduct = dtype === 'bfloat16' && (kind === 'convolution' || kind === 'matmul')
  return isLowProduct && !theAddon().info().bfloat16 && 'oneDNN has no bfloat16 on this processor'
}

const [a, b, c] = [argument(0), argument(1), argument(2)]
const float = (...shape: number[]) => ({ shape, dtype: 'float32' }) as const
const low = (...shape: number[]) => ({ shape, dtype: 'bfloat16' }) as const

const image = { strides: [1, 1], dilation: [1, 1], before: [1, 1], after: [1, 1] }
/** x and y [n, c, ...spatial], kernel [groups, filters, channels, ...window]: as oneDNN names axes. */
const convolution = { kind: 'convolution', of: 'forward', x: [2, 3, 6, 7], y: [2, 5, 6, 7], kernel: [1, 5, 3, 3, 3], ...image } // biome-ignore format: a row
const full = { dtype: 'float32', result: 'float32' }
const half = { dtype: 'bfloat16', result: 'bfloat16' }
const relu = expressionFields([2, 6, 7, 5], [float(2, 6, 7, 5), float(5)], [s.max(s.add(a, b), 0)], ['float32'])
const gated = expressionFields([2, 6, 7, 5], [low(2, 6, 7, 5), low(2, 6, 7, 5)], [s.mul(a, s.less(0, b))], ['bfloat16'])
const matmul = { kind: 'matmul', m: 7, n: 11, k: 13, transposeA: false, transposeB: false }
const pool = { images: 2, channels: 5, input: [1, 6, 8], output: [1, 3, 4], window: [1, 3, 3], strides: [1, 2, 2], before: [0, 0, 0] } // biome-ignore format: a row
const pooling = (of: string, dtype: string) => ({ kind: 'pooling', of, ...pool, dtype })
const few = { images: 9, channels: 3, filters: 6, input: [8, 9], output: [8, 9], window: [3, 3], strides: [1, 1], before: [1, 1] } // biome-ignore format: a row
const plane = { images: 3, channels: 17, filters: 19, input: [9, 10], output: [9, 10], before: [1, 1] }
const tiled = { ...plane, window: [3, 3] }
const spread = expressionFields(
  [4, 5, 6],
  [float(4, 5, 6), float(6), float(), float(4, 1, 6)],
  [s.select(s.less(a, b), s.exp(c), s.tanh(argument(3))), s.add(s.mul(a, b), 0.5)],
  ['float32', 'bfloat16'],
)

const list: Readonly<Record<string, { readonly kind: string } & Readonly<Record<string, unknown>>>> = {
  convolution: { ...convolution, ...full, bias: true, tail: relu },
  'convolution with strides, dilation and groups': { ...convolution, ...full, x: [2, 6, 9, 9], y: [2, 4, 3, 3], kernel: [2, 2, 3, 3, 3], strides: [3, 3], dilation: [2, 2], before: [2, 1], after: [1, 2], bias: false }, // biome-ignore format: a row
  'convolution in bfloat16': { ...convolution, ...half, bias: true },
  'convolution in bfloat16, windows behind the last row': { ...convolution, ...half, x: [1, 31, 8, 17], y: [1, 33, 7, 8], kernel: [1, 33, 31, 5, 5], strides: [2, 2], before: [2, 2], after: [7, 0], bias: false }, // biome-ignore format: a row
  'gradient for the input': { ...convolution, ...full, of: 'input' },
  'gradient for the input, turned': { ...convolution, ...half, of: 'input', turned: true, x: [2, 5, 6, 7], y: [2, 3, 6, 7], kernel: [1, 3, 5, 3, 3], tail: gated }, // biome-ignore format: a row
  'gradient for the kernel': { ...convolution, ...full, of: 'kernel', bias: true },
  'convolution of few channels': { kind: 'fewChannels', ...few, filters: 19, bias: true, tail: expressionFields([9, 8, 9, 19], [float(9, 8, 9, 19)], [s.max(a, 0)], ['float32']) }, // biome-ignore format: a row
  'gradient for the kernel, few channels': { kind: 'fewChannelsGradient', ...few, dtype: 'float32', bias: true },
  'gradient for the kernel, few channels, of a pooling': { kind: 'fewChannelsGradient', ...few, dtype: 'bfloat16', bias: false, pooled: { images: 9, channels: 6, input: [1, 8, 9], output: [1, 4, 4], window: [1, 2, 2], strides: [1, 2, 2], before: [0, 0, 0], gated: true } }, // biome-ignore format: a row
  'gradient for the kernel, depthwise': { kind: 'depthwiseGradient', images: 3, channels: 17, filters: 34, input: [2, 5, 6], output: [2, 3, 2], window: [1, 3, 2], strides: [1, 2, 3], dilation: [1, 1, 2], before: [0, 1, 1], dtype: 'bfloat16', bias: true }, // biome-ignore format: a row
  'convolution by Winograd': { kind: 'winograd', of: 'result', ...plane, window: 3, points: 6, bias: true, tail: expressionFields([3, 9, 10, 19], [float(3, 9, 10, 19)], [s.max(a, 0)], ['float32']) }, // biome-ignore format: a row
  'a kernel at the points of Winograd': {
    kind: 'winogradKernel',
    channels: 17,
    filters: 19,
    window: 5,
    points: 6,
    turned: true,
  },
  'gradient for the kernel by Winograd': {
    kind: 'winograd',
    of: 'kernel',
    ...plane,
    window: 5,
    points: 6,
    before: [2, 2],
    bias: true,
  },
  'convolution by Winograd, large': {
    kind: 'winograd',
    of: 'result',
    ...plane,
    channels: 121,
    filters: 200,
    window: 3,
    points: 6,
    bias: true,
  },
  'gradient for the kernel by Winograd, large': {
    kind: 'winograd',
    of: 'kernel',
    ...plane,
    channels: 121,
    filters: 200,
    window: 3,
    points: 6,
    bias: true,
  },
  'convolution by Winograd, pictures of 2 x 2': {
    kind: 'winograd',
    of: 'result',
    images: 5,
    channels: 17,
    filters: 35,
    input: [2, 2],
    output: [2, 2],
    before: [1, 1],
    window: 3,
    points: 3,
    bias: false,
  },
  'convolution by tiles': { kind: 'tiledConvolution', ...tiled, input: [5, 4], apart: [2, 3], result: 'bfloat16', bias: true, tail: expressionFields([3, 9, 10, 19], [float(3, 9, 10, 19), low(3, 9, 10, 19)], [s.mul(a, s.less(0, b))], ['bfloat16']) }, // biome-ignore format: a row
  'a kernel as tiles': { kind: 'tiledKernel', ...tiled, dtype: 'float32', turned: true },
  'gradient for the kernel by tiles': { kind: 'tiledGradient', ...tiled, bias: true },
  matmul: { ...matmul, ...full, bias: true, packs: false },
  'matmul, transposed': { ...matmul, ...half, transposeA: true, transposeB: true, packs: true },
  'one row': { kind: 'oneRow', k: 9, n: 70, bias: true, tail: expressionFields([1, 70], [float(1, 70)], [s.max(a, 0)], ['float32']) }, // biome-ignore format: a row
  'weights for one row': { kind: 'rowWeights', k: 9, n: 70 },
  maxPool: pooling('maxPool', 'float32'),
  'maxPool gradient': pooling('maxPoolGradient', 'bfloat16'),
  'maxPool with places': { ...pooling('maxPool', 'bfloat16'), places: true },
  'maxPool gradient from places': { ...pooling('maxPoolGradient', 'float32'), places: true, gated: true },
  averagePool: pooling('averagePool', 'bfloat16'),
  'averagePool gradient': pooling('averagePoolGradient', 'float32'),
  elementwise: { kind: 'elementwise', ...spread },
  'elementwise, gated at the end': { kind: 'elementwise', ...expressionFields([4, 5, 6], [float(4, 5, 6), low(4, 5, 6)], [s.mul(s.add(a, 0.5), s.less(0, b))], ['bfloat16']) }, // biome-ignore format: a row
  'elementwise, conditional': { kind: 'elementwise', ...expressionFields([9], [float(9)], [s.mul(a, 2)], ['float32']), conditional: true }, // biome-ignore format: a row
  sum: { kind: 'sum', sums: 1, outer: 3, count: 40, inner: 5, head: expressionFields([3, 40, 5], [float(3, 40, 5), float(5)], [s.mul(a, b), s.sub(a, b)], ['float32', 'float32']) }, // biome-ignore format: a row
  'several sums': { kind: 'sum', sums: 2, outer: 1, count: 40, inner: 5, head: expressionFields([40, 5], [float(40, 5), low(40, 5)], [a, s.mul(a, b)], ['float32', 'float32'], 2) }, // biome-ignore format: a row
  'sums of short rows': { kind: 'sum', sums: 2, outer: 120, count: 7, inner: 1, head: expressionFields([120, 7], [float(120, 7), float(120, 1)], [s.mul(a, b), s.sub(a, b)], ['float32', 'float32'], 2) }, // biome-ignore format: a row
  'sums of neighbours': { kind: 'windowSum', rows: 40, width: 19, before: 2, after: 3, head: expressionFields([40, 19], [low(40, 19), float(19)], [s.mul(a, b)], ['float32'], 1), tail: expressionFields([40, 19], [float(40, 19), float(19)], [s.max(s.add(a, b), 0)], ['float32']) }, // biome-ignore format: a row
  copy: { kind: 'copy', dtype: 'float32', sizes: [3, 4, 5], source: [1, 3, 12], target: [20, 5, 1], sourceOffset: 0, targetOffset: 0 }, // biome-ignore format: a row
  fill: { kind: 'fill', dtype: 'int32', value: 7, elements: 33 },
  extreme: { kind: 'extreme', dtype: 'bfloat16', outer: 3, count: 7, inner: 2, place: false },
  softmax: { kind: 'softmax', dtype: 'bfloat16', rows: 5, width: 9, logarithm: true },
  gather: { kind: 'gather', rows: 5, width: 3, count: 4 },
  'gather gradient': { kind: 'gatherGradient', rows: 5, width: 3, count: 4 },
  oneHot: { kind: 'oneHot', count: 6, depth: 4 },
  random: { kind: 'random', elements: 50, rowSize: 5, stream: 3, normal: true },
  'random, a mask': { kind: 'random', elements: 50, rowSize: 5, stream: 3, atLeast: 0.25 },
  commit: { kind: 'commit' },
}

/** By a name of its own each. */
export const descriptions: Readonly<Record<string, Description>> = Object.fromEntries(
  Object.entries(list).map(([where, fields]) => [where, { where, ...fields }]),
)

/** A program of one operation, each operand in a tensor of its own. */
export async function runAlone(
  machine: Machine,
  { handle, operandBytes }: MadeOperation,
  valuesOf: (bytes: number, operand: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Promise<ArrayBuffer[]> {
  const places = operandBytes.map((bytes) => ({ in: 'tensor', tensor: machine.tensor(bytes), bytes }) as const)
  const operands = places.map((_, i) => i)
  const stages = [{ operation: handle, operands, written: [] }]
  const { program, ready } = machine.load({ arenaBytes: 0, places, stages })
  const inputs = operandBytes.flatMap((bytes, i) => [i, valuesOf(bytes, i)])
  const [, results] = await Promise.all([ready, machine.run(program, inputs, operands)])
  return results
}
