// What goes wrong, in a form that the TypeScript side turns into a FoveaError.
#pragma once

#include <stdexcept>
#include <string>

namespace fovea {

/// `code` is one of FoveaError's, `where` the operation's own name.
struct Fault : std::runtime_error {
  std::string code;
  std::string where;
  Fault(std::string code, std::string where, const std::string &what)
      : std::runtime_error(what), code(std::move(code)), where(std::move(where)) {}
};

}  // namespace fovea
