// Memory that is asked for once and kept: the arena, tensors, constants.
#pragma once

#include <cstdint>
#include <memory>

namespace fovea {

/// Zeroed bytes at a cache line, in large pages where they are many. Null where the host gives none, or where the process
/// would hold more of them than memoryBytes().
class Bytes {
 public:
  static std::unique_ptr<Bytes> allocate(int64_t size);
  ~Bytes();
  Bytes(const Bytes &) = delete;
  char *data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  Bytes(char *data, int64_t size, int64_t mapped) : data_(data), size_(size), mapped_(mapped) {}
  char *data_, *mapping_ = nullptr;
  int64_t size_, mapped_;
};

/// Bytes that this process may have: the machine's, or fewer where it is held to fewer.
double memoryBytes();

}  // namespace fovea
