#pragma once

#include "operation.hpp"

namespace fovea {

/// Poolings and their gradients, with a tail on the gradients.
std::shared_ptr<Operation> makePooling(const Fields &fields);

}  // namespace fovea
