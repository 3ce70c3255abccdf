/** Random numbers and the first values of weights. */
import type { Fault } from './fault.ts'

export const random: readonly Fault[] = [
  {
    name: 'Philox: nine rounds',
    file: 'src/base/random.ts',
    find: 'round < 10; round++',
    replace: 'round < 9; round++',
    tests: ['random: Philox'],
  },
  {
    name: 'uniforms reach 1',
    file: 'src/base/random.ts',
    find: '(bits >>> 8) * 2 ** -24',
    replace: '(bits >>> 8) / (2 ** 24 - 1)',
    tests: ['random: uniforms'],
  },
  {
    name: 'normals: the radius lacks its 2',
    file: 'src/base/random.ts',
    find: 'Math.sqrt(-2 * Math.log(',
    replace: 'Math.sqrt(-1 * Math.log(',
    tests: ['random: normals'],
  },
  {
    name: 'a shuffle that never leaves an element where it is',
    file: 'src/base/random.ts',
    find: 'mulHigh(chosen[i], i + 1)',
    replace: 'mulHigh(chosen[i], i)',
    tests: ['random: permutation'],
  },
  {
    name: 'dropout streams of all layers are one',
    file: 'src/base/random.ts',
    find: '(purposes.indexOf(purpose) << 24) | (index & 0xffffff)',
    replace: 'purposes.indexOf(purpose) << 24',
    tests: ['random: streams'],
  },
  {
    name: 'a batch cut in two is another batch (reference)',
    file: 'src/engines/reference/kernels/sampling.ts',
    find: 'const element = row * (sizeOf(shape) / (shape[0] ?? 1)) + i',
    replace: 'const element = row + i',
    tests: ['random'],
  },
  {
    name: 'the counter has no high word (wasm)',
    file: 'src/engines/wasm/kernels/sampling.ts',
    find: 'i32x4.lessUnsigned(x[0].get, i32x4.splat(low.get)),',
    replace: 'i32x4.const(0),',
    tests: ['random'],
  },
  {
    name: 'elements before ours are stored (wasm)',
    file: 'src/engines/wasm/kernels/sampling.ts',
    find: 'skipped.set(i32.and(i64.toInt(base), i32.const(3)))',
    replace: 'skipped.set(i32.const(0))',
    tests: ['random'],
  },
  {
    name: 'glorotUniform: the deviation for the limit',
    file: 'src/nn/initializers.ts',
    find: `glorotUniform: uniform('Uniform up to sqrt(6 / (fan in + fan out)).', ({ fanIn, fanOut }) =>
    Math.sqrt(6 /`,
    replace: `glorotUniform: uniform('', ({ fanIn, fanOut }) =>
    Math.sqrt(2 /`,
    tests: ['initial-values'],
  },
  {
    name: 'heNormal: variance 1 / fan in',
    file: 'src/nn/initializers.ts',
    find: `heNormal: cutNormal('Truncated normal of variance 2 / fan in, for relu.', ({ fanIn }) => Math.sqrt(2 / fanIn))`,
    replace: `heNormal: cutNormal('', ({ fanIn }) => Math.sqrt(1 / fanIn))`,
    tests: ['initial-values'],
  },
  {
    name: 'lecunUniform: the limit of heUniform',
    file: 'src/nn/initializers.ts',
    find: 'Math.sqrt(3 / fanIn)',
    replace: 'Math.sqrt(6 / fanIn)',
    tests: ['initial-values'],
  },
  {
    name: 'fans: the window does not count for the outputs',
    file: 'src/nn/initializers.ts',
    find: 'fanOut: window * outputs',
    replace: 'fanOut: outputs',
    tests: ['initial-values'],
  },
  {
    name: 'cut normals: the deviation is that before the cut',
    file: 'src/nn/initializers.ts',
    find: 'const scale = deviation / CUT_DEVIATION',
    replace: 'const scale = deviation',
    tests: ['initial-values'],
  },
  {
    name: 'truncatedNormal is cut at 3 deviations',
    file: 'src/nn/initializers.ts',
    find: 'Math.abs(result[i]) > 2',
    replace: 'Math.abs(result[i]) > 3',
    tests: ['initial-values'],
  },
  {
    name: 'randomUniform begins at 0',
    file: 'src/nn/initializers.ts',
    find: 'minval + u * (maxval - minval)',
    replace: 'u * (maxval - minval)',
    tests: ['initial-values'],
  },
]
