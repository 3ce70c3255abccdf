/** The functions of the addon's interpreter, by number. C++ has them from here: native/src/instructions.hpp is generated. */
import type { ScalarFn } from '../../ops/scalar.ts'

/** Several functions in one pass: a * b + c, the larger of x and 0, x where y > 0, (a - b) * c, the square of a - b. */
export type Joined = 'multiplyAdd' | 'relu' | 'gate' | 'subtractMultiply' | 'squaredDifference'

/** Numbers of the instructions: a function of the vocabulary, a copy, two functions in one. */
export const functionCodes: { readonly [F in ScalarFn | 'copy' | Joined]: number } = {
  copy: 0,
  neg: 1,
  abs: 2,
  sqrt: 3,
  exp: 4,
  log: 5,
  tanh: 6,
  erf: 7,
  normalCdf: 8,
  floor: 9,
  add: 10,
  sub: 11,
  mul: 12,
  div: 13,
  pow: 14,
  max: 15,
  min: 16,
  less: 17,
  lessEqual: 18,
  equal: 19,
  select: 20,
  multiplyAdd: 21,
  relu: 22,
  gate: 23,
  subtractMultiply: 24,
  squaredDifference: 25,
}

/** The text of native/src/instructions.hpp. */
export function instructionsHeader(): string {
  const names = Object.entries(functionCodes)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name)
  return [
    '// Generated from src/engines/native/instructions.ts: npm run node -- scripts/instructions.ts',
    '#pragma once',
    '',
    '#include <cstdint>',
    '',
    'namespace fovea {',
    '',
    '/// What an instruction does to every element.',
    'enum class Function : int32_t {',
    ...names.map((name) => `  ${name} = ${functionCodes[name as keyof typeof functionCodes]},`),
    '};',
    `constexpr int64_t FUNCTIONS = ${names.length};`,
    '',
    '}  // namespace fovea',
    '',
  ].join('\n')
}
