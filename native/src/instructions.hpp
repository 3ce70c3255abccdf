// Generated from src/engines/native/instructions.ts: npm run node -- scripts/instructions.ts
#pragma once

#include <cstdint>

namespace fovea {

/// What an instruction does to every element.
enum class Function : int32_t {
  copy = 0,
  neg = 1,
  abs = 2,
  sqrt = 3,
  exp = 4,
  log = 5,
  tanh = 6,
  erf = 7,
  normalCdf = 8,
  floor = 9,
  add = 10,
  sub = 11,
  mul = 12,
  div = 13,
  pow = 14,
  max = 15,
  min = 16,
  less = 17,
  lessEqual = 18,
  equal = 19,
  select = 20,
  multiplyAdd = 21,
  relu = 22,
  gate = 23,
  subtractMultiply = 24,
  squaredDifference = 25,
};
constexpr int64_t FUNCTIONS = 26;

}  // namespace fovea
