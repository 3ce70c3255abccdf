// What goes wrong, in a form that the TypeScript side turns into a FoveaError.
#pragma once

#include <new>
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

/// Runs `body`; what it throws that has no code and no name yet gets those of an operation.
template <typename Body>
auto named(const std::string &where, Body body) {
  try {
    return body();
  } catch (const Fault &) {
    throw;
  } catch (const std::bad_alloc &) {
    throw Fault("E_LIMIT", where, "the host gave no more memory");
  } catch (const std::exception &error) {
    throw Fault("E_ENGINE", where, error.what());
  }
}

}  // namespace fovea
