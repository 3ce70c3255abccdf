#pragma once

#include "operation.hpp"

namespace fovea {

/// The gradient of a kernel over pictures of one channel or three, for which oneDNN's blocks of 16 channels are mostly empty.
std::shared_ptr<Operation> makeFewChannelsGradient(const Fields &fields);

}  // namespace fovea
