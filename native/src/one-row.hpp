#pragma once

#include "operation.hpp"

namespace fovea {

/// A row times a matrix that stays as it is, and the packing of that matrix: what one picture's dense layers are.
std::shared_ptr<Operation> makeOneRow(const Fields &fields);
std::shared_ptr<Operation> makeRowWeights(const Fields &fields);

}  // namespace fovea
