#pragma once

#include "operation.hpp"

namespace fovea {

std::shared_ptr<Operation> makeGradientPieces(const Fields &fields);

}  // namespace fovea
