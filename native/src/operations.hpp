// All operations, by their kind.
#pragma once

#include "operation.hpp"

namespace fovea {

std::shared_ptr<Operation> makeOperation(const Fields &fields);

}  // namespace fovea
