#pragma once

#include "operation.hpp"

namespace fovea {

/// A convolution in float32 with stride 1, or one of its gradients, with a quarter of the multiplications.
std::shared_ptr<Operation> makeWinograd(const Fields &fields);
/// What such a convolution reads in place of its kernel.
std::shared_ptr<Operation> makeWinogradKernel(const Fields &fields);

}  // namespace fovea
