#pragma once

#include "operation.hpp"

namespace fovea {

/// A convolution in float32 with stride 1, or one of its gradients, with a quarter of the multiplications.
std::shared_ptr<Operation> makeWinograd(const Fields &fields);

}  // namespace fovea
