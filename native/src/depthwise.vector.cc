// Compiled once for each instruction set: the gradient of a depthwise convolution's kernel.
#include <cstring>

#include "depthwise-loops.hpp"

namespace fovea {
namespace FOVEA_NAMESPACE {

#include "math.inl"

// functions that give vectors are all inlined: how they would be returned does not matter
#pragma GCC diagnostic ignored "-Wpsabi"
#if defined(__AVX512F__)
constexpr int64_t LANES = 16;
#elif defined(__AVX2__)
constexpr int64_t LANES = 8;
#else
constexpr int64_t LANES = 4;
#endif
/// As wide as a register, so that twelve sums of them stay in sixteen.
typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef uint32_t Words __attribute__((vector_size(LANES * 4)));
typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));

static inline Floats loadOf(const float *from) {
  Floats to;
  std::memcpy(&to, from, sizeof to);
  return to;
}
static inline Floats loadOf(const uint16_t *from) {
  Halves to;
  std::memcpy(&to, from, sizeof to);
  return (Floats)(__builtin_convertvector(to, Words) << 16);
}
static inline float oneOf(float x) { return x; }
static inline float oneOf(uint16_t x) { return fromBfloat16(x); }
static inline void addTo(float *sums, const Floats &x) {
  const Floats sum = loadOf(sums) + x;
  std::memcpy(sums, &sum, sizeof sum);
}

/// Calls `visit` with the offsets of each place in x and in dy.
template <typename Visit>
static inline void eachPlace(const DepthwiseRun &r, Visit visit) {
  const int64_t count = r.counts[2], x = r.x[2], dy = r.dy[2];
  for (int64_t i = 0; i < r.counts[0]; i++) {
    for (int64_t j = 0; j < r.counts[1]; j++) {
      int64_t at = i * r.x[0] + j * r.x[1], flow = i * r.dy[0] + j * r.dy[1];
      for (int64_t k = 0; k < count; k++, at += x, flow += dy) visit(at, flow);
    }
  }
}

/// The sums of these taps and vectors stay in registers.
template <int TAPS, int VECTORS>
static void productsOf(const DepthwiseRun &r, const float *x, const float *dy, float *sums) {
  const int64_t tap = r.tap;
  int64_t starts[VECTORS];
  for (int v = 0; v < VECTORS; v++) starts[v] = r.starts[v];
  for (int64_t lane = 0; lane < DEPTHWISE_LANES; lane += LANES) {
    Floats of[TAPS][VECTORS] = {};
    eachPlace(r, [&](int64_t at, int64_t flow) {
      for (int v = 0; v < VECTORS; v++) {
        const Floats given = loadOf(dy + flow + starts[v] + lane);
        for (int j = 0; j < TAPS; j++) of[j][v] += given * loadOf(x + at + j * tap + starts[v] + lane);
      }
    });
    for (int j = 0; j < TAPS; j++)
      for (int v = 0; v < VECTORS; v++) addTo(sums + v * r.sums + j * DEPTHWISE_LANES + lane, of[j][v]);
  }
}
static void products(const DepthwiseRun &r, const float *x, const float *dy, float *sums) {
  using Loop = void (*)(const DepthwiseRun &r, const float *x, const float *dy, float *sums);
  static constexpr Loop by[DEPTHWISE_TAPS][DEPTHWISE_VECTORS] = {
      {productsOf<1, 1>, productsOf<1, 2>, productsOf<1, 3>, productsOf<1, 4>},
      {productsOf<2, 1>, productsOf<2, 2>, productsOf<2, 3>, productsOf<2, 4>},
      {productsOf<3, 1>, productsOf<3, 2>, productsOf<3, 3>, productsOf<3, 4>},
  };
  by[r.taps - 1][r.vectors - 1](r, x, dy, sums);
}

static void flow(const DepthwiseRun &r, const float *dy, float *sums) {
  for (int64_t v = 0; v < r.vectors; v++) {
    for (int64_t lane = 0; lane < DEPTHWISE_LANES; lane += LANES) {
      Floats of = {};
      eachPlace(r, [&](int64_t, int64_t place) { of += loadOf(dy + place + r.starts[v] + lane); });
      addTo(sums + v * r.sums + lane, of);
    }
  }
}

template <typename Stored>
static void copyOf(const DepthwiseCopy &c, const Stored *from, int64_t places, float *to) {
  constexpr int64_t n = DEPTHWISE_LANES;
  const int64_t step = c.vectors * n, some = c.filters < n ? c.filters : n;
  if (some == n && c.multiplier == 1) {
    for (int64_t place = 0; place < places; place++, from += c.channels) {
      for (int64_t v = 0; v < c.vectors; v++, to += n) {
        for (int64_t lane = 0; lane < n; lane += LANES) {
          const Floats x = loadOf(from + c.starts[v] + lane);
          std::memcpy(to + lane, &x, sizeof x);
        }
      }
    }
    return;
  }
  for (int64_t v = 0; v < c.vectors; v++) {
    for (int64_t i = 0; i < n; i++) {
      const Stored *source = from + (c.starts[v] + i) / c.multiplier;
      float *target = to + v * n + i;
      if (i < some)
        for (int64_t place = 0; place < places; place++) target[place * step] = oneOf(source[place * c.channels]);
      else
        for (int64_t place = 0; place < places; place++) target[place * step] = 0;
    }
  }
}
static void copy(const DepthwiseCopy &c, const void *from, bool isBfloat16, int64_t places, float *to) {
  if (isBfloat16) copyOf(c, static_cast<const uint16_t *>(from), places, to);
  else copyOf(c, static_cast<const float *>(from), places, to);
}

extern const DepthwiseLoops depthwiseTable;
const DepthwiseLoops depthwiseTable = {products, flow, copy};

}  // namespace FOVEA_NAMESPACE
}  // namespace fovea
