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
/// As wide as a register: nine sums of them and what they are made of stay in sixteen.
typedef float Floats __attribute__((vector_size(LANES * 4)));

static inline Floats loadOf(const float *from) {
  Floats to;
  std::memcpy(&to, from, sizeof to);
  return to;
}
static inline void addTo(float *sums, const Floats &x) {
  const Floats sum = loadOf(sums) + x;
  std::memcpy(sums, &sum, sizeof sum);
}

static inline float load(float x) { return x; }
static inline float load(uint16_t x) { return fromBfloat16(x); }

template <typename Stored>
static void copyOf(const DepthwiseLanes &l, const Stored *from, int64_t places, float *to) {
  constexpr int64_t n = DEPTHWISE_LANES;
  const int64_t channels = l.filters / l.multiplier;
  const bool isWhole = l.filters >= n;
  if (isWhole && l.multiplier == 1) {
    int64_t starts[DEPTHWISE_VECTORS];
    for (int64_t v = 0; v < l.vectors; v++) starts[v] = DepthwiseLanes::startOf(l.first + v, l.filters);
    for (int64_t place = 0; place < places; place++, from += channels, to += n) {
      for (int64_t v = 0; v < l.vectors; v++) {
        const Stored *source = from + starts[v];
        float *target = to + v * l.plane;
        EACH target[i] = load(source[i]);
      }
    }
    return;
  }
  for (int64_t v = 0; v < l.vectors; v++) {
    const int64_t start = DepthwiseLanes::startOf(l.first + v, l.filters);
    const int64_t some = isWhole ? n : l.filters;
    int32_t map[n];
    for (int64_t i = 0; i < some; i++) map[i] = int32_t((start + i) / l.multiplier);
    for (int64_t place = 0; place < places; place++) {
      const Stored *source = from + place * channels;
      float *target = to + v * l.plane + place * n;
      for (int64_t i = 0; i < some; i++) target[i] = load(source[map[i]]);
      for (int64_t i = some; i < n; i++) target[i] = 0;
    }
  }
}
static void copy(const DepthwiseLanes &lanes, const void *from, bool isBfloat16, int64_t places, float *to) {
  if (isBfloat16) copyOf(lanes, static_cast<const uint16_t *>(from), places, to);
  else copyOf(lanes, static_cast<const float *>(from), places, to);
}

/// Of some taps, the sums of which stay in registers.
template <int HEIGHT, int WIDTH>
static void productsOf(const DepthwiseTile &t, const float *x, const float *dy, float *sums) {
  for (int64_t lane = 0; lane < DEPTHWISE_LANES; lane += LANES) {
    Floats of[HEIGHT][WIDTH] = {};
    for (int64_t row = 0; row < t.rows; row++) {
      const float *at = x + row * t.rowStride + lane, *flow = dy + row * t.flowRow + lane;
      for (int64_t column = 0; column < t.columns; column++, at += t.columnStride, flow += t.flowColumn) {
        const Floats one = loadOf(flow);
        for (int i = 0; i < HEIGHT; i++)
          for (int j = 0; j < WIDTH; j++) of[i][j] += one * loadOf(at + i * t.rowTap + j * t.columnTap);
      }
    }
    for (int i = 0; i < HEIGHT; i++)
      for (int j = 0; j < WIDTH; j++) addTo(sums + (i * t.width + j) * DEPTHWISE_LANES + lane, of[i][j]);
  }
}

using Products = void (*)(const DepthwiseTile &t, const float *x, const float *dy, float *sums);
/// Rows and columns of taps at once; more than nine sums want the registers of AVX-512.
#if defined(__AVX512F__)
constexpr int64_t MOST = 5;
static const Products productsBy[MOST][MOST] = {
    {productsOf<1, 1>, productsOf<1, 2>, productsOf<1, 3>, productsOf<1, 4>, productsOf<1, 5>},
    {productsOf<2, 1>, productsOf<2, 2>, productsOf<2, 3>, productsOf<2, 4>, productsOf<2, 5>},
    {productsOf<3, 1>, productsOf<3, 2>, productsOf<3, 3>, productsOf<3, 4>, productsOf<3, 5>},
    {productsOf<4, 1>, productsOf<4, 2>, productsOf<4, 3>, productsOf<4, 4>, productsOf<4, 5>},
    {productsOf<5, 1>, productsOf<5, 2>, productsOf<5, 3>, productsOf<5, 4>, productsOf<5, 5>},
};
#else
constexpr int64_t MOST = 3;
static const Products productsBy[MOST][MOST] = {
    {productsOf<1, 1>, productsOf<1, 2>, productsOf<1, 3>},
    {productsOf<2, 1>, productsOf<2, 2>, productsOf<2, 3>},
    {productsOf<3, 1>, productsOf<3, 2>, productsOf<3, 3>},
};
#endif

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void products(const DepthwiseTile &t, const float *x, const float *dy, float *sums) {
  for (int64_t i = 0; i < t.height; i += MOST)
    for (int64_t j = 0; j < t.width; j += MOST)
      productsBy[least(MOST, t.height - i) - 1][least(MOST, t.width - j) - 1](t, x + i * t.rowTap + j * t.columnTap, dy,
                                                                              sums + (i * t.width + j) * DEPTHWISE_LANES);
}

static void flow(const DepthwiseTile &t, const float *dy, float *sums) {
  for (int64_t lane = 0; lane < DEPTHWISE_LANES; lane += LANES) {
    Floats of = {};
    for (int64_t row = 0; row < t.rows; row++)
      for (int64_t column = 0; column < t.columns; column++) of += loadOf(dy + row * t.flowRow + column * t.flowColumn + lane);
    addTo(sums + lane, of);
  }
}

extern const DepthwiseLoops depthwiseTable;
const DepthwiseLoops depthwiseTable = {copy, products, flow};

}  // namespace FOVEA_NAMESPACE
}  // namespace fovea
