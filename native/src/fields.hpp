// Reading what JavaScript says of an operation. Every number is checked before it is used; a wrong one is a Fault.
#pragma once

#include <napi.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fault.hpp"

namespace fovea {

/// Sizes, strides and offsets; large enough for any tensor, small enough that products of a few can be checked.
using Sizes = std::vector<int64_t>;

/// Most entries of a list.
constexpr uint32_t MOST_ENTRIES = 1 << 20;
/// Most places along an axis of pictures and of windows over them.
constexpr int64_t LONGEST = 1 << 24;

class Fields {
 public:
  Fields(Napi::Object object, std::string where) : object_(object), where_(std::move(where)) {}

  const std::string &where() const { return where_; }
  bool has(const char *name) const { return object_.Has(name) && !object_.Get(name).IsUndefined(); }

  std::string text(const char *name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsString()) throw wrong(name, "a text");
    return value.As<Napi::String>().Utf8Value();
  }

  int64_t integer(const char *name, int64_t least, int64_t most) const { return integerOf(object_.Get(name), name, least, most); }
  bool flag(const char *name) const { return has(name) && object_.Get(name).ToBoolean().Value(); }
  double number(const char *name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) throw wrong(name, "a number");
    return value.As<Napi::Number>().DoubleValue();
  }

  /// Integers between least and most, in a plain array.
  Sizes integers(const char *name, int64_t least, int64_t most) const {
    const auto [list, length] = array(name);
    Sizes result(length);
    for (uint32_t i = 0; i < length; i++) result[i] = integerOf(list.Get(i), name, least, most);
    return result;
  }
  /// As many as `to` has.
  template <size_t N>
  void integers(const char *name, int64_t least, int64_t most, int64_t (&to)[N]) const {
    const Sizes sizes = integers(name, least, most);
    if (sizes.size() != N) throw wrong(name, N == 2 ? "two numbers" : "three numbers");
    std::copy(sizes.begin(), sizes.end(), to);
  }
  std::vector<float> floats(const char *name) const {
    const auto [list, length] = array(name);
    std::vector<float> result(length);
    for (uint32_t i = 0; i < length; i++) {
      const Napi::Value value = list.Get(i);
      if (!value.IsNumber()) throw wrong(name, "numbers");
      result[i] = value.As<Napi::Number>().FloatValue();
    }
    return result;
  }

  /// The objects of a list, each with its own fields.
  std::vector<Fields> list(const char *name) const {
    const auto [list, length] = array(name);
    std::vector<Fields> result;
    for (uint32_t i = 0; i < length; i++) {
      const Napi::Value value = list.Get(i);
      if (!value.IsObject()) throw wrong(name, "objects");
      result.emplace_back(value.As<Napi::Object>(), where_);
    }
    return result;
  }
  Fields object(const char *name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsObject()) throw wrong(name, "an object");
    return Fields(value.As<Napi::Object>(), where_);
  }
  Napi::Value value(const char *name) const { return object_.Get(name); }

  Fault wrong(const std::string &name, const std::string &wanted) const {
    return Fault("E_BUG", where_, "'" + name + "' must be " + wanted);
  }

 private:
  Napi::Object object_;
  std::string where_;

  /// A list and its length, which is asked for once: reading an entry may run code that changes it.
  std::pair<Napi::Array, uint32_t> array(const char *name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsArray()) throw wrong(name, "a list");
    const auto list = value.As<Napi::Array>();
    const uint32_t length = list.Length();
    if (length > MOST_ENTRIES) throw wrong(name, "a list of " + std::to_string(MOST_ENTRIES) + " entries at most");
    return {list, length};
  }
  int64_t integerOf(Napi::Value value, const char *name, int64_t least, int64_t most) const {
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
    if (!(number == std::floor(number) && number >= double(least) && number <= double(most))) {
      throw wrong(name, "whole numbers from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return int64_t(number);
  }
};

/// Most elements of anything: bytes of four each stay exact in a double.
constexpr int64_t MOST = int64_t(1) << 46;

/// The number of elements; a Fault where it passes all bounds.
inline int64_t product(const Sizes &sizes, const std::string &where) {
  int64_t result = 1;
  for (const int64_t size : sizes) {
    if (size < 0 || (size > 0 && result > MOST / size)) throw Fault("E_LIMIT", where, "the tensor is too large");
    result *= size;
  }
  return result;
}

}  // namespace fovea
