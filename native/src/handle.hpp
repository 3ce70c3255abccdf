// Handles: what JavaScript holds of ours. Externals with a type tag, so that none is taken for another; no address ever comes
// from a number.
#pragma once

#include <napi.h>

#include <memory>

#include "fault.hpp"
#include "operation.hpp"

namespace fovea {

struct Tensor;
class Program;

/// What an external of ours holds, by its type tag.
template <typename T>
struct Handle;
template <>
struct Handle<Tensor> {
  static constexpr napi_type_tag tag{0x666f766561746e73, 1};
  static constexpr const char *name = "a tensor";
};
template <>
struct Handle<Operation> {
  static constexpr napi_type_tag tag{0x666f766561746e73, 2};
  static constexpr const char *name = "an operation";
};
template <>
struct Handle<Program> {
  static constexpr napi_type_tag tag{0x666f766561746e73, 3};
  static constexpr const char *name = "a program";
};

/// Tells V8 how many bytes hang on a handle.
inline void report(Napi::BasicEnv env, Held &held, int64_t bytes) {
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes - held.reported);
  held.reported = bytes;
}

template <typename T>
Napi::Value wrap(Napi::Env env, std::shared_ptr<T> shared, int64_t bytes = 0) {
  report(env, *shared, bytes);
  auto external = Napi::External<std::shared_ptr<T>>::New(env, new std::shared_ptr<T>(std::move(shared)),
                                                          [](Napi::BasicEnv env, std::shared_ptr<T> *held) {
                                                            report(env, **held, 0);
                                                            delete held;
                                                          });
  external.TypeTag(&Handle<T>::tag);
  return external;
}

template <typename T>
bool isHandle(const Napi::Value &value) {
  return value.IsExternal() && value.As<Napi::External<std::shared_ptr<T>>>().CheckTypeTag(&Handle<T>::tag);
}

template <typename T>
std::shared_ptr<T> unwrap(const Napi::Value &value, const std::string &where) {
  if (isHandle<T>(value)) return *value.As<Napi::External<std::shared_ptr<T>>>().Data();
  throw Fault("E_BUG", where, std::string("expected the handle of ") + Handle<T>::name);
}

/// What a handle of the engine with this number holds.
template <typename T>
std::shared_ptr<T> ownedBy(uint64_t engine, const Napi::Value &value, const std::string &where) {
  std::shared_ptr<T> held = unwrap<T>(value, where);
  if (held->owner != engine) throw Fault("E_BUG", where, std::string(Handle<T>::name) + " of another engine");
  if (held->isDropped) throw Fault("E_CLOSED", where, std::string(Handle<T>::name) + " that was closed");
  return held;
}

}  // namespace fovea
