// Between C++ and JavaScript: errors, bytes and buffers.
#pragma once

#include <napi.h>

#include <cmath>
#include <string>
#include <utility>

#include "fault.hpp"
#include "fields.hpp"

namespace fovea {

inline Napi::Error errorOf(Napi::Env env, const std::string &code, const std::string &where, const std::string &what) {
  const Napi::Error error = Napi::Error::New(env, what);
  error.Set("code", Napi::String::New(env, code));
  error.Set("where", Napi::String::New(env, where));
  return error;
}

/// Runs `body`; what it throws becomes an error of JavaScript with a code.
template <typename Body>
auto guarded(Napi::Env env, Body body) {
  try {
    return named("native", body);
  } catch (const Fault &fault) {
    throw errorOf(env, fault.code, fault.where, fault.what());
  }
}

/// Bytes of a typed array.
inline std::pair<const char *, size_t> bytesIn(const Napi::Value &value, const std::string &where) {
  if (!value.IsTypedArray()) throw Fault("E_BUG", where, "expected a typed array");
  const auto array = value.As<Napi::TypedArray>();
  return {static_cast<const char *>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}

/// As `new ArrayBuffer(bytes)`, which throws where the host has not so much; Node-API's own way would end the process.
inline Napi::ArrayBuffer newBuffer(Napi::Env env, int64_t bytes, const std::string &where) {
  try {
    const auto maker = env.Global().Get("ArrayBuffer").As<Napi::Function>();
    auto buffer = maker.New({Napi::Number::New(env, double(bytes))}).As<Napi::ArrayBuffer>();
    if (buffer.ByteLength() == size_t(bytes)) return buffer;
  } catch (const Napi::Error &) {
  }
  throw Fault("E_LIMIT", where, "the host gave no more memory");
}

inline int64_t sizeIn(const Napi::Value &value, const std::string &where) {
  const double bytes = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(bytes >= 0 && bytes <= double(MOST) && bytes == std::floor(bytes))) throw Fault("E_BUG", where, "expected a number of bytes");
  return int64_t(bytes);
}

}  // namespace fovea
