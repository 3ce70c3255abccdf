// Which set of loops this processor runs: the widest that it has. FOVEA_NATIVE_LOOPS=baseline|avx2 holds it to less, for tests.
#include <cstdlib>
#include <cstring>

#include "depthwise-loops.hpp"
#include "pooling-loops.hpp"
#include "vector.hpp"
#include "winograd-loops.hpp"

namespace fovea {
namespace isa_baseline {
extern const VectorLoops table;
extern const PoolingLoops poolingTable;
extern const WinogradLoops winogradTable;
extern const DepthwiseLoops depthwiseTable;
}  // namespace isa_baseline
#if defined(__x86_64__)
namespace isa_avx2 {
extern const VectorLoops table;
extern const PoolingLoops poolingTable;
extern const WinogradLoops winogradTable;
extern const DepthwiseLoops depthwiseTable;
}  // namespace isa_avx2
namespace isa_avx512 {
extern const VectorLoops table;
extern const PoolingLoops poolingTable;
extern const WinogradLoops winogradTable;
extern const DepthwiseLoops depthwiseTable;
}  // namespace isa_avx512
static int most() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return 2;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}
static int level() {
  static const int chosen = [] {
    const char *held = std::getenv("FOVEA_NATIVE_LOOPS");
    const int wanted = !held ? 2 : std::strcmp(held, "baseline") == 0 ? 0 : std::strcmp(held, "avx2") == 0 ? 1 : 2;
    return wanted < most() ? wanted : most();
  }();
  return chosen;
}
const VectorLoops &loops() {
  static const VectorLoops *const chosen = level() == 2 ? &isa_avx512::table : level() == 1 ? &isa_avx2::table : &isa_baseline::table;
  return *chosen;
}
const PoolingLoops &poolingLoops() {
  return level() == 2 ? isa_avx512::poolingTable : level() == 1 ? isa_avx2::poolingTable : isa_baseline::poolingTable;
}
const WinogradLoops &winogradLoops() {
  return level() == 2 ? isa_avx512::winogradTable : level() == 1 ? isa_avx2::winogradTable : isa_baseline::winogradTable;
}
const DepthwiseLoops &depthwiseLoops() {
  return level() == 2 ? isa_avx512::depthwiseTable : level() == 1 ? isa_avx2::depthwiseTable : isa_baseline::depthwiseTable;
}
const char *loopsName() { return level() == 2 ? "AVX-512" : level() == 1 ? "AVX2" : "SSE2"; }
#else
const VectorLoops &loops() { return isa_baseline::table; }
const PoolingLoops &poolingLoops() { return isa_baseline::poolingTable; }
const WinogradLoops &winogradLoops() { return isa_baseline::winogradTable; }
const DepthwiseLoops &depthwiseLoops() { return isa_baseline::depthwiseTable; }
const char *loopsName() { return "baseline"; }
#endif

}  // namespace fovea
