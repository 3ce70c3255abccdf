// Which set of loops this processor runs.
#include "vector.hpp"

namespace fovea {
namespace isa_baseline {
extern const VectorLoops table;
}
#if defined(__x86_64__)
namespace isa_avx2 {
extern const VectorLoops table;
}
namespace isa_avx512 {
extern const VectorLoops table;
}
static int level() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return 2;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}
const VectorLoops &loops() {
  static const VectorLoops *const chosen =
      level() == 2 ? &isa_avx512::table : level() == 1 ? &isa_avx2::table : &isa_baseline::table;
  return *chosen;
}
const char *loopsName() { return level() == 2 ? "AVX-512" : level() == 1 ? "AVX2" : "SSE2"; }
#else
const VectorLoops &loops() { return isa_baseline::table; }
const char *loopsName() { return "baseline"; }
#endif

}  // namespace fovea
