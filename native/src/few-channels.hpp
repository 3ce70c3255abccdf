#pragma once

#include "operation.hpp"

namespace fovea {

/// A convolution over pictures of one channel or three, for which oneDNN's blocks of 16 channels are mostly empty, and the
/// gradient of its kernel.
std::shared_ptr<Operation> makeFewChannels(const Fields &fields);
std::shared_ptr<Operation> makeFewChannelsGradient(const Fields &fields);

}  // namespace fovea
