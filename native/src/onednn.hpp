// All that is known of oneDNN's interface (2.6): what version 3 changes is in onednn*.cc only.
#pragma once

#include <map>

#include "operation.hpp"

namespace fovea {

/// Convolutions, their gradients, matrix products, and the repacking of what they read and write.
extern const std::map<std::string, OperationMaker> productOperations;

/// What the planner asks of a product: bytes of scratch, and of the operand that oneDNN needs in a layout of its own.
struct Needs {
  int64_t scratch = 0;
  /// 0 where the plain layout is the one.
  int64_t packed = 0;
};
Needs needsOf(const Operation &operation);
/// Do two products want their packed operands in one layout?
bool haveSamePacking(const Operation &one, const Operation &other);

/// oneDNN cuts work by the number of threads when a primitive is made: said for the calling thread.
void setThreads(int threads);
/// The most that OpenMP gives at once.
int mostThreads();
std::string onednnVersion();
std::string onednnIsa();
/// Does it multiply bfloat16 here? From AVX-512 on.
bool onednnHasBfloat16();

}  // namespace fovea
