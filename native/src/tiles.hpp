#pragma once

#include "operation.hpp"

namespace fovea {

/// Has this processor tiles (AMX) that multiply bfloat16, and may this process use them?
bool hasTiles();

/// The gradient of a kernel in bfloat16, by tiles.
std::shared_ptr<Operation> makeTiledGradient(const Fields &fields);

}  // namespace fovea
