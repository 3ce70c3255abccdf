#pragma once

#include "operation.hpp"

namespace fovea {

/// Sums over a window that slides along rows, of an expression, with a tail.
std::shared_ptr<Operation> makeWindowSum(const Fields &fields);

}  // namespace fovea
