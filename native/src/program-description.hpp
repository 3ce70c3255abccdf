// What JavaScript says of a program, read into one.
#pragma once

#include "engine.hpp"

namespace fovea {

struct DescribedProgram {
  std::shared_ptr<Program> program;
  /// Of its own memory.
  int64_t bytes;
};
/// fields: arenaBytes, places [{ in, at, bytes, tensor? | values? }], stages [{ operation, operands, written, committed? }]; tensors and
/// operations of the engine with this number. From then on the operations stand in a program.
DescribedProgram programOf(const Fields &fields, uint64_t engine);

}  // namespace fovea
