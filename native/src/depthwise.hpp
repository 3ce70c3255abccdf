#pragma once

#include "operation.hpp"

namespace fovea {

/// The gradient of a depthwise convolution's kernel.
std::shared_ptr<Operation> makeDepthwiseGradient(const Fields &fields);

}  // namespace fovea
