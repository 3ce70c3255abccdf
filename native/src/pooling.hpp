#pragma once

#include "operation.hpp"
#include "pooling-loops.hpp"

namespace fovea {

/// From fields images, channels, input, output, window, strides, before; checked.
Windows windowsOf(const Fields &fields);
/// Can a byte say which place of a window it is?
bool hasFewPlaces(const Windows &windows);

/// Poolings and their gradients, with a tail on the gradients.
std::shared_ptr<Operation> makePooling(const Fields &fields);

}  // namespace fovea
