// Compiled once for each instruction set: plain loops that the compiler turns into its vectors.
#include <cstdint>
#include <cstring>

#include "intrinsics.hpp"
#include "vector.hpp"

namespace fovea {
namespace FOVEA_NAMESPACE {

#include "math.inl"

/// The vocabulary of src/ops/scalar.ts, and what several of it make in one pass (src/engines/native/instructions.ts).
static void interpret(const Instruction *code, int64_t count, float *const *values, int64_t n) {
  for (int64_t k = 0; k < count; k++) {
    const Instruction &step = code[k];
    float *y = values[step.target];
    const float *a = values[step.a], *b = values[step.b], *c = values[step.c];
    switch (step.function) {
      case Function::copy: EACH y[i] = a[i]; break;
      case Function::neg: EACH y[i] = -a[i]; break;
      case Function::abs: EACH y[i] = absOf(a[i]); break;
      case Function::sqrt: EACH y[i] = __builtin_sqrtf(a[i]); break;
      case Function::exp: EACH y[i] = expOf(a[i]); break;
      case Function::log: EACH y[i] = logOf(a[i]); break;
      case Function::tanh: EACH y[i] = tanhOf(a[i]); break;
      case Function::erf: EACH y[i] = erfOf(a[i]); break;
      case Function::normalCdf: EACH y[i] = normalCdfOf(a[i]); break;
      case Function::floor: EACH y[i] = __builtin_floorf(a[i]); break;
      case Function::add: EACH y[i] = a[i] + b[i]; break;
      case Function::sub: EACH y[i] = a[i] - b[i]; break;
      case Function::mul: EACH y[i] = a[i] * b[i]; break;
      case Function::div: EACH y[i] = a[i] / b[i]; break;
      case Function::pow: EACH y[i] = powOf(a[i], b[i]); break;
      case Function::max: EACH y[i] = maxOf(a[i], b[i]); break;
      case Function::min: EACH y[i] = minOf(a[i], b[i]); break;
      case Function::less: EACH y[i] = a[i] < b[i] ? 1.0f : 0.0f; break;
      case Function::lessEqual: EACH y[i] = a[i] <= b[i] ? 1.0f : 0.0f; break;
      case Function::equal: EACH y[i] = a[i] == b[i] ? 1.0f : 0.0f; break;
      case Function::select: EACH y[i] = a[i] != 0.0f ? b[i] : c[i]; break;
      case Function::multiplyAdd: EACH y[i] = a[i] * b[i] + c[i]; break;
      case Function::relu: EACH y[i] = a[i] <= 0.0f ? 0.0f : a[i]; break;
      case Function::gate: EACH y[i] = a[i] * (0.0f < b[i] ? 1.0f : 0.0f); break;
      case Function::subtractMultiply: EACH y[i] = (a[i] - b[i]) * c[i]; break;
      case Function::squaredDifference: EACH y[i] = (a[i] - b[i]) * (a[i] - b[i]); break;
    }
  }
}

static void floatsFromBfloat16(const uint16_t *from, float *to, int64_t n) { EACH to[i] = fromBfloat16(from[i]); }
static void floatsFromInt32(const int32_t *from, float *to, int64_t n) { EACH to[i] = float(from[i]); }
static void floatsFromUint8(const uint8_t *from, float *to, int64_t n) { EACH to[i] = float(from[i]); }
/// y = rounded(f(x, gate)) for numbers in float32; gates are bfloat16.
enum class Before { nothing, relu, gate };
template <Before F>
static inline float before(float x, uint16_t gate) {
  if (F == Before::relu) return x <= 0.0f ? 0.0f : x;
  if (F == Before::gate) return x * (0.0f < fromBfloat16(gate) ? 1.0f : 0.0f);
  return x;
}
template <Before F>
static void roundedPlainly(const float *x, const uint16_t *gate, uint16_t *y, int64_t n) {
  EACH y[i] = toBfloat16(before<F>(x[i], F == Before::gate ? gate[i] : uint16_t(0)));
}
#if defined(__AVX512F__)
// one instruction in place of seven: 0.03 ns an element in place of 0.12
template <Before F>
__attribute__((target("avx512bf16"))) static void roundedAtOnce(const float *x, const uint16_t *gate, uint16_t *y, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = n - i >= 16 ? __mmask16(0xffff) : __mmask16((1 << (n - i)) - 1);
    __m512 value = _mm512_maskz_loadu_ps(mask, x + i);
    if (F == Before::relu)
      value = _mm512_mask_mov_ps(value, _mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_LE_OQ), _mm512_setzero_ps());
    if (F == Before::gate) {
      const __m512 open = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, gate + i)), 16));
      const __mmask16 isClosed = _mm512_cmp_ps_mask(_mm512_setzero_ps(), open, _CMP_NLT_UQ);
      value = _mm512_mask_mul_ps(value, isClosed, value, _mm512_setzero_ps());
    }
    const __m256bh low = _mm512_cvtneps_pbh(value);
    _mm256_mask_storeu_epi16(y + i, mask, (__m256i)low);
  }
}
template <Before F>
static void rounded(const float *x, const uint16_t *gate, uint16_t *y, int64_t n) {
  static const bool hasInstruction = __builtin_cpu_supports("avx512bf16");
  (hasInstruction ? roundedAtOnce<F> : roundedPlainly<F>)(x, gate, y, n);
}
#else
template <Before F>
static void rounded(const float *x, const uint16_t *gate, uint16_t *y, int64_t n) {
  roundedPlainly<F>(x, gate, y, n);
}
#endif
static void bfloat16FromFloats(const float *from, uint16_t *to, int64_t n) { rounded<Before::nothing>(from, nullptr, to, n); }
static void bfloat16FromRelu(const float *from, uint16_t *to, int64_t n) { rounded<Before::relu>(from, nullptr, to, n); }
static void bfloat16FromGated(const float *from, const uint16_t *gate, uint16_t *to, int64_t n) {
  rounded<Before::gate>(from, gate, to, n);
}

// by their bits: no number has to be widened and rounded again
static void reluBfloat16(const uint16_t *x, uint16_t *y, int64_t n) { EACH y[i] = int16_t(x[i]) > 0 || x[i] > 0xff80 ? x[i] : uint16_t(0); }
static void gateBfloat16(const uint16_t *x, const uint16_t *gate, uint16_t *y, int64_t n) {
  EACH {
    const uint16_t closed = (x[i] & 0x7f80) == 0x7f80 ? uint16_t(x[i] | 0x40) : uint16_t(x[i] & 0x8000);
    y[i] = uint16_t(gate[i] - 1) < 0x7f80 ? x[i] : closed;
  }
}

/// What is not read again soon goes past the caches: what it would have pushed out stays, and lines are not read first.
static void stream(const float *from, float *to, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512F__)
  if (reinterpret_cast<uintptr_t>(to) % 64 == 0)
    for (; i + 16 <= n; i += 16) _mm512_stream_ps(to + i, _mm512_loadu_ps(from + i));
  _mm_sfence();
#elif defined(__AVX2__)
  if (reinterpret_cast<uintptr_t>(to) % 32 == 0)
    for (; i + 8 <= n; i += 8) _mm256_stream_ps(to + i, _mm256_loadu_ps(from + i));
  _mm_sfence();
#endif
  std::memcpy(to + i, from + i, (n - i) * sizeof(float));
}
static void accumulate(float *sums, const float *x, int64_t n) { EACH sums[i] += x[i]; }
/// Adds the rows [count, inner] of each group up, from the first to the last.
static void groupSums(const float *x, int64_t groups, int64_t count, int64_t inner, float *sums) {
  for (int64_t group = 0; group < groups; group++, x += count * inner, sums += inner) {
    const int64_t whole = inner / 16 * 16;
    for (int64_t column = 0; column < whole; column += 16) {
      float total[16];
      std::memcpy(total, x + column, sizeof(total));
      for (int64_t row = 1; row < count; row++)
        for (int64_t i = 0; i < 16; i++) total[i] += x[row * inner + column + i];
      std::memcpy(sums + column, total, sizeof(total));
    }
    for (int64_t column = whole; column < inner; column++) {
      float total = x[column];
      for (int64_t row = 1; row < count; row++) total += x[row * inner + column];
      sums[column] = total;
    }
  }
}
static void accumulateDoubles(double *sums, const float *x, int64_t n) { EACH sums[i] += double(x[i]); }

typedef float Lanes __attribute__((vector_size(64)));
static inline void loadLanes(Lanes &to, const float *x) { __builtin_memcpy(&to, x, 64); }

/// In 32 lanes: of a block of 512, no chain is longer than 16.
static float total(const float *x, int64_t n) {
  constexpr int LANES = 32;
  float lanes[LANES] = {};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int lane = 0; lane < LANES; lane++) lanes[lane] += x[i + lane];
  for (int lane = 0; i < n; i++, lane++) lanes[lane] += x[i];
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
  return lanes[0];
}

static void rowTotals(const float *x, int64_t rows, int64_t width, float *sums) {
  for (int64_t row = 0; row < rows; row++, x += width) {
    Lanes low = {}, high = {};
    int64_t i = 0;
    for (; i + 32 <= width; i += 32) {
      Lanes a, b;
      loadLanes(a, x + i);
      loadLanes(b, x + i + 16);
      low += a;
      high += b;
    }
    low += high;
    float lanes[16];
    __builtin_memcpy(lanes, &low, 64);
    for (int lane = 0; i < width; i++, lane = (lane + 1) % 16) lanes[lane] += x[i];
    for (int half = 8; half > 0; half /= 2)
      for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
    sums[row] += lanes[0];
  }
}

static void repeat(const float *from, int64_t step, int64_t rows, int64_t width, float *y) {
  for (int64_t row = 0; row < rows; row++, y += width) {
    const float value = from[row * step];
    const Lanes lanes = Lanes{} + value;
    int64_t i = 0;
    for (; i + 16 <= width; i += 16) __builtin_memcpy(y + i, &lanes, 64);
    for (; i < width; i++) y[i] = value;
  }
}

static void windowSums(const float *x, int64_t window, int64_t width, float *y) {
  for (int64_t i = 0; i < width; i += 16) {
    Lanes sum, next;
    loadLanes(sum, x + i);
    for (int64_t by = 1; by < window; by++) {
      loadLanes(next, x + i + by);
      sum += next;
    }
    __builtin_memcpy(y + i, &sum, (width - i < 16 ? width - i : 16) * sizeof(float));
  }
}

static void reach(float bound, const float *x, uint8_t *y, int64_t n) { EACH y[i] = bound <= x[i]; }

static void gatherFloats(const float *from, const int32_t *map, float *y, int64_t n) {
  EACH y[i] = map[i] < 0 ? 0.0f : from[map[i] < 0 ? 0 : map[i]];
}
static void gatherBfloat16(const float *from, const int32_t *map, uint16_t *y, int64_t n) {
  EACH y[i] = map[i] < 0 ? uint16_t(0) : toBfloat16(from[map[i] < 0 ? 0 : map[i]]);
}

static void softmaxRow(const float *x, float *y, int64_t n, bool isLogarithm) {
  float most = -__builtin_inff();
  for (int64_t i = 0; i < n; i++) most = maxOf(most, x[i]);
  EACH y[i] = expOf(x[i] - most);
  const float sum = total(y, n);
  if (isLogarithm) {
    const float shift = logOf(sum);
    EACH y[i] = x[i] - most - shift;
  } else {
    EACH y[i] = y[i] / sum;
  }
}

static inline void loadLanes(Lanes &to, const uint16_t *x) {
  float wide[16];
  for (int i = 0; i < 16; i++) wide[i] = fromBfloat16(x[i]);
  loadLanes(to, wide);
}
/// to[i] += x[i]
static inline void addLanes(float *to, const Lanes &x) {
  Lanes sum;
  loadLanes(sum, to);
  sum += x;
  __builtin_memcpy(to, &sum, 64);
}

/// Sums of products with V vectors of filters stay in registers over a whole picture: K V of them.
template <typename T, int K, int V>
static void fewChannelsPart(const FewChannels &g, const float *x, const T *dy, float *sums, float *biases) {
  for (int64_t top = 0; top < g.height; top++) {
    Lanes total[K][V] = {}, bias[V] = {};
    for (int64_t row = 0; row < g.rows; row++) {
      const float *from = x + row * g.rowStride + top * g.inputRow;
      const T *flow = dy + row * g.columns * g.filters;
      for (int64_t column = 0; column < g.columns; column++, from += g.columnStride, flow += g.filters) {
        Lanes d[V];
        for (int v = 0; v < V; v++) loadLanes(d[v], flow + 16 * v);
        for (int k = 0; k < K; k++)
          for (int v = 0; v < V; v++) total[k][v] += from[k] * d[v];
        if (top == 0)
          for (int v = 0; v < V; v++) bias[v] += d[v];
      }
    }
    for (int k = 0; k < K; k++)
      for (int v = 0; v < V; v++) addLanes(sums + (top * K + k) * g.padded + 16 * v, total[k][v]);
    for (int v = 0; v < V && top == 0; v++) addLanes(biases + 16 * v, bias[v]);
  }
}

template <typename T, int K>
static void fewChannelsOf(const FewChannels &g, const float *x, const T *dy, float *sums, float *biases) {
  int64_t f = 0;
  if constexpr (K <= 10)
    for (; f + 32 <= g.padded; f += 32) fewChannelsPart<T, K, 2>(g, x, dy + f, sums + f, biases + f);
  for (; f < g.padded; f += 16) fewChannelsPart<T, K, 1>(g, x, dy + f, sums + f, biases + f);
}

template <int N>
struct Taps {
  static constexpr int COUNT = N;
};
/// Calls `body` with the taps as a constant, where there is a loop for so many (tapsOfLoop of few-channels.ts).
template <typename Body>
static bool withTaps(int64_t taps, Body body) {
  switch (taps) {
    case 3: body(Taps<3>{}); return true;
    case 5: body(Taps<5>{}); return true;
    case 7: body(Taps<7>{}); return true;
    case 9: body(Taps<9>{}); return true;
    case 15: body(Taps<15>{}); return true;
    case 21: body(Taps<21>{}); return true;
  }
  return false;
}

template <typename T>
static bool fewChannelsGradientOf(const FewChannels &g, const float *x, const T *dy, float *sums, float *biases) {
  return withTaps(g.taps, [&](auto taps) { fewChannelsOf<T, decltype(taps)::COUNT>(g, x, dy, sums, biases); });
}
static bool hasFewChannels(int64_t taps) {
  return withTaps(taps, [](auto) {});
}
static bool fewChannelsGradient(const FewChannels &g, const float *x, const void *dy, bool isBfloat16, float *sums, float *biases) {
  return isBfloat16 ? fewChannelsGradientOf(g, x, static_cast<const uint16_t *>(dy), sums, biases)
                    : fewChannelsGradientOf(g, x, static_cast<const float *>(dy), sums, biases);
}

/// Four sums of every column, since the one after the other would wait for it. A long one is the sum of its halves.
static void rowBlock(const float *x, const float *weights, int64_t k, float *y) {
  constexpr int64_t MOST = 4096;
  if (k > MOST) {
    float rest[ROW_COLUMNS];
    const int64_t half = k / 2;
    rowBlock(x, weights, half, y);
    rowBlock(x + half, weights + half * ROW_COLUMNS, k - half, rest);
    for (int c = 0; c < ROW_COLUMNS; c++) y[c] += rest[c];
    return;
  }
  constexpr int VECTORS = ROW_COLUMNS / 16, SUMS = 4;
  Lanes total[SUMS][VECTORS] = {}, row;
  int64_t at = 0;
  for (; at + SUMS <= k; at += SUMS)
    for (int s = 0; s < SUMS; s++)
      for (int v = 0; v < VECTORS; v++) {
        loadLanes(row, weights + (at + s) * ROW_COLUMNS + 16 * v);
        total[s][v] += x[at + s] * row;
      }
  for (; at < k; at++)
    for (int v = 0; v < VECTORS; v++) {
      loadLanes(row, weights + at * ROW_COLUMNS + 16 * v);
      total[0][v] += x[at] * row;
    }
  for (int v = 0; v < VECTORS; v++) {
    const Lanes sum = (total[0][v] + total[1][v]) + (total[2][v] + total[3][v]);
    __builtin_memcpy(y + 16 * v, &sum, 64);
  }
}

#if defined(__AVX512F__)
constexpr int PLACES = 8;  // whose results stay in registers, with two vectors of filters each
#else
constexpr int PLACES = 2;
#endif

/// P places along a row, V vectors of filters that begin at `begins`.
template <int P, int V>
static inline void fewChannelsPlaces(const FewChannels &g, const float *x, const float *kernel, const float *bias, const int64_t *begins,
                                     float *y) {
  Lanes total[P][V] = {};
  for (int64_t top = 0; top < g.height; top++, x += g.inputRow)
    for (int64_t k = 0; k < g.taps; k++, kernel += g.filters) {
      Lanes row[V];
      for (int v = 0; v < V; v++) loadLanes(row[v], kernel + begins[v]);
      for (int p = 0; p < P; p++)
        for (int v = 0; v < V; v++) total[p][v] += x[p * g.columnStride + k] * row[v];
    }
  for (int v = 0; v < V; v++) {
    Lanes add = {};
    if (bias) loadLanes(add, bias + begins[v]);
#pragma GCC unroll 8
    for (int p = 0; p < P; p++) {
      const Lanes sum = total[p][v] + add;
      __builtin_memcpy(y + p * g.filters + begins[v], &sum, 64);
    }
  }
}

/// The last places and the last filters may be some of those before as well: the same numbers once more.
template <int V>
static void fewChannelsFilters(const FewChannels &g, const float *x, const float *kernel, const float *bias, const int64_t *begins,
                               float *y) {
  for (int64_t row = 0; row < g.rows; row++, x += g.rowStride, y += g.columns * g.filters)
    for (int64_t column = 0; column < g.columns; column += g.columns < PLACES ? 1 : PLACES) {
      const int64_t at = g.columns < PLACES || column + PLACES <= g.columns ? column : g.columns - PLACES;
      const float *from = x + at * g.columnStride;
      float *to = y + at * g.filters;
      if (g.columns < PLACES) fewChannelsPlaces<1, V>(g, from, kernel, bias, begins, to);
      else fewChannelsPlaces<PLACES, V>(g, from, kernel, bias, begins, to);
    }
}
static void fewChannels(const FewChannels &g, const float *x, const float *kernel, const float *bias, float *y) {
  const int64_t vectors = g.padded / 16;
  for (int64_t v = 0; v < vectors; v += 2) {
    const auto beginOf = [&](int64_t vector) { return vector * 16 + 16 <= g.filters ? vector * 16 : g.filters - 16; };
    const int64_t begins[2] = {beginOf(v), beginOf(v + 1 < vectors ? v + 1 : v)};
    if (v + 1 < vectors) fewChannelsFilters<2>(g, x, kernel, bias, begins, y);
    else fewChannelsFilters<1>(g, x, kernel, bias, begins, y);
  }
}

constexpr int BLOCKS = 64;  // of Philox at a time: 256 elements

/// Philox 4x32-10 of counters `block`, `block` + 1, ...: word w of block i in x[w][i].
static void philox(const RandomKey &key, uint64_t block, uint32_t (&x)[4][BLOCKS]) {
  for (int i = 0; i < BLOCKS; i++) {
    x[0][i] = uint32_t(block + i);
    x[1][i] = uint32_t((block + i) >> 32);
    x[2][i] = key.step;
    x[3][i] = key.stream;
  }
  uint32_t k0 = key.seedLow, k1 = key.seedHigh;
  for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
    for (int i = 0; i < BLOCKS; i++) {
      const uint64_t p0 = uint64_t(0xd2511f53u) * x[0][i], p1 = uint64_t(0xcd9e8d57u) * x[2][i];
      x[0][i] = uint32_t(p1 >> 32) ^ x[1][i] ^ k0;
      x[2][i] = uint32_t(p0 >> 32) ^ x[3][i] ^ k1;
      x[1][i] = uint32_t(p1);
      x[3][i] = uint32_t(p0);
    }
  }
}

static inline float uniformOf(uint32_t bits) { return float(int32_t(bits >> 8)) * 5.9604644775390625e-8f; }

template <typename Fill>
static void sampled(const RandomKey &key, uint64_t first, float *y, int64_t n, Fill fill) {
  uint32_t x[4][BLOCKS];
  float values[4 * BLOCKS];
  for (int64_t done = 0; done < n;) {
    const uint64_t at = first + uint64_t(done);
    philox(key, at / 4, x);
    fill(x, values);
    const int64_t skip = int64_t(at % 4);
    const int64_t count = 4 * BLOCKS - skip < n - done ? 4 * BLOCKS - skip : n - done;
    std::memcpy(y + done, values + skip, count * sizeof(float));
    done += count;
  }
}

static void uniform(const RandomKey &key, uint64_t first, float *y, int64_t n) {
  sampled(key, first, y, n, [](const uint32_t(&x)[4][BLOCKS], float *values) {
    for (int i = 0; i < BLOCKS; i++)
      for (int word = 0; word < 4; word++) values[4 * i + word] = uniformOf(x[word][i]);
  });
}

/// Box and Muller: the first word of a pair gives the radius, the second the angle.
static void normal(const RandomKey &key, uint64_t first, float *y, int64_t n) {
  sampled(key, first, y, n, [](const uint32_t(&x)[4][BLOCKS], float *values) {
    for (int i = 0; i < BLOCKS; i++)
      for (int word = 0; word < 4; word += 2) {
        const float radius = __builtin_sqrtf(-2.0f * logOf(uniformOf(x[word][i]) + 5.9604644775390625e-8f));
        const float turn = uniformOf(x[word + 1][i]);
        values[4 * i + word] = radius * sineOfTurns(turn + 0.25f);
        values[4 * i + word + 1] = radius * sineOfTurns(turn);
      }
  });
}

extern const VectorLoops table;
const VectorLoops table = {interpret,
                           floatsFromBfloat16,
                           floatsFromInt32,
                           floatsFromUint8,
                           bfloat16FromFloats,
                           bfloat16FromRelu,
                           bfloat16FromGated,
                           reluBfloat16,
                           gateBfloat16,
                           stream,
                           accumulate,
                           accumulateDoubles,
                           groupSums,
                           reach,
                           total,
                           rowTotals,
                           repeat,
                           windowSums,
                           rowBlock,
                           gatherFloats,
                           gatherBfloat16,
                           softmaxRow,
                           fewChannels,
                           fewChannelsGradient,
                           hasFewChannels,
                           uniform,
                           normal};

}  // namespace FOVEA_NAMESPACE
}  // namespace fovea
