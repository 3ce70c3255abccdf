#pragma once

#include <map>

#include "operation.hpp"

namespace fovea {

/// By kind.
extern const std::map<std::string, OperationMaker> simpleOperations;

}  // namespace fovea
