#include "memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>

namespace fovea {

constexpr int64_t LARGE_PAGE = 1 << 21;

namespace {

/// Bytes that all engines of the process hold together.
std::atomic<int64_t> held{0};

/// Counts them, where the machine has so many more.
bool take(int64_t bytes) {
  static const int64_t most = int64_t(std::min(memoryBytes(), double(INT64_MAX / 2)));
  if (bytes <= most && held.fetch_add(bytes) + bytes <= most) return true;
  if (bytes <= most) held -= bytes;
  return false;
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__)
// AddressSanitizer watches the borders of what malloc gave
std::unique_ptr<Bytes> Bytes::allocate(int64_t size) {
  if (!take(size)) return nullptr;
  char *data = static_cast<char *>(calloc(size_t(size) + 1, 1));
  auto *bytes = data ? new (std::nothrow) Bytes(data, size, size) : nullptr;
  if (!bytes) free(data), held -= size;
  return std::unique_ptr<Bytes>(bytes);
}
Bytes::~Bytes() {
  free(data_);
  held -= mapped_;
}
#else
std::unique_ptr<Bytes> Bytes::allocate(int64_t size) {
  const int64_t page = size >= 2 * LARGE_PAGE ? LARGE_PAGE : 4096;
  const int64_t mapped = (size / page + 1) * page + (page == LARGE_PAGE ? LARGE_PAGE : 0);
  if (!take(mapped)) return nullptr;
  void *got = mmap(nullptr, size_t(mapped), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) {
    held -= mapped;
    return nullptr;
  }
  char *start = static_cast<char *>(got);
  if (page == LARGE_PAGE) madvise(got, size_t(mapped), MADV_HUGEPAGE);
  // the data begin where a page of that size does; what lies before stays untouched
  const int64_t shift = (page - int64_t(reinterpret_cast<uintptr_t>(start) % uintptr_t(page))) % page;
  auto *bytes = new (std::nothrow) Bytes(start + shift, size, mapped);
  if (!bytes) munmap(got, size_t(mapped)), held -= mapped;
  else bytes->mapping_ = start;
  return std::unique_ptr<Bytes>(bytes);
}

Bytes::~Bytes() {
  munmap(mapping_, size_t(mapped_));
  held -= mapped_;
}
#endif

double memoryBytes() {
  double least = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE));
  // where a container's limit stands, by the version of its control group
  for (const char *path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    double limit;
    if (std::ifstream(path) >> limit && limit > 0) least = std::min(least, limit);
  }
  return least;
}

}  // namespace fovea
