// Compiled once for each instruction set. Convolution by Winograd's way (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016): tiles of 6 by 6 of the source, as polynomials, are evaluated at 36 points, multiplied there by the
// kernel's values, and interpolated. At each point that is a matrix product of tiles x channels by channels x filters. For 3 x 3
// it multiplies 36 times where 144 multiplications are plain, for 5 x 5 36 in place of 100.
//
// The points are 0, +-sqrt(1/2), +-sqrt(2) and infinity: a third of the rounding error of 0, +-1, +-2.
#include <cstring>
#include <type_traits>

#include "winograd-loops.hpp"

namespace fovea {
namespace FOVEA_NAMESPACE {
namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
constexpr int ROWS[] = {0, 16, 8, 8, 4};  // of a product that stays in registers, by its vectors a row
#else
#if defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
constexpr int ROWS[] = {0, 8, 4, 4, 2};
#endif
constexpr int MOST_VECTORS = 4;

typedef float Lanes __attribute__((vector_size(LANES * 4)));
inline Lanes load(const float *from) {
  Lanes to;
  std::memcpy(&to, from, sizeof to);
  return to;
}
inline void store(float *to, const Lanes &from) { std::memcpy(to, &from, sizeof from); }

// the points, and what follows from them
constexpr float A = 0.70710678118654752f, B = 1.41421356237309505f, A2 = 0.5f, B2 = 2, A3 = A * A2, B3 = B * B2, A4 = 0.25f, B4 = 4;
constexpr float NA = -1 / 1.5f, NB = 1 / 6.0f;  // 1 / the products of a point's differences from the others

/// Vectors of `count` channels: the last one reaches back where they are no whole number of vectors.
inline int64_t vectorsOf(int64_t count) { return (count + LANES - 1) / LANES; }
inline int64_t beginOf(int64_t vector, int64_t count) { return vector * LANES + LANES <= count ? vector * LANES : count - LANES; }

/// Six numbers of the source at the six points.
inline void evaluate(const Lanes (&d)[6], Lanes (&t)[6]) {
  t[0] = d[0] - (A2 + B2) * d[2] + d[4];
  const Lanes ea = d[4] - B2 * d[2], oa = A * (d[3] - B2 * d[1]), eb = d[4] - A2 * d[2], ob = B * (d[3] - A2 * d[1]);
  t[1] = ea + oa;
  t[2] = ea - oa;
  t[3] = eb + ob;
  t[4] = eb - ob;
  t[5] = d[1] - (A2 + B2) * d[3] + d[5];
}
/// Results of a tile from the six points.
template <int TILE>
inline void interpolate(const Lanes (&m)[6], Lanes (&y)[TILE]) {
  const Lanes sa = m[1] + m[2], da = m[1] - m[2], sb = m[3] + m[4], db = m[3] - m[4];
  y[0] = m[0] + sa + sb;
  if constexpr (TILE == 2) {
    y[1] = A * da + B * db + m[5];
  } else {
    y[1] = A * da + B * db;
    y[2] = A2 * sa + B2 * sb;
    y[3] = A3 * da + B3 * db + m[5];
  }
}
/// The other way, for gradients: what reached the results of a tile, at the six points.
template <int TILE>
inline void spread(const Lanes (&y)[TILE], Lanes (&m)[6]) {
  Lanes ea = y[0], oa = A * y[1], eb = y[0], ob = B * y[1];
  if constexpr (TILE == 4) ea += A2 * y[2], oa += A3 * y[3], eb += B2 * y[2], ob += B3 * y[3];
  m[0] = y[0];
  m[1] = ea + oa;
  m[2] = ea - oa;
  m[3] = eb + ob;
  m[4] = eb - ob;
  m[5] = y[TILE - 1];
}
/// A kernel's numbers along an axis at the six points.
template <int WINDOW>
inline void evaluateKernel(const Lanes (&g)[WINDOW], Lanes (&t)[6]) {
  Lanes ea = g[0] + A2 * g[2], oa = A * g[1], eb = g[0] + B2 * g[2], ob = B * g[1];
  if constexpr (WINDOW == 5) ea += A4 * g[4], oa += A3 * g[3], eb += B4 * g[4], ob += B3 * g[3];
  t[0] = g[0];
  t[1] = NA * (ea + oa);
  t[2] = NA * (ea - oa);
  t[3] = NB * (eb + ob);
  t[4] = NB * (eb - ob);
  t[5] = g[WINDOW - 1];
}
/// The other way, for its gradient.
template <int WINDOW>
inline void gatherKernel(const Lanes (&t)[6], Lanes (&g)[WINDOW]) {
  const Lanes sa = NA * (t[1] + t[2]), da = NA * (t[1] - t[2]), sb = NB * (t[3] + t[4]), db = NB * (t[3] - t[4]);
  g[0] = t[0] + sa + sb;
  g[1] = A * da + B * db;
  g[2] = A2 * sa + B2 * sb;
  if constexpr (WINDOW == 5) {
    g[3] = A3 * da + B3 * db;
    g[4] = A4 * sa + B4 * sb;
  }
  g[WINDOW - 1] += t[5];
}

/// `along` for each column of FROM numbers, then for each row of what came: FROM x FROM to TO x TO.
template <int FROM, int TO, typename Read, typename Along, typename Write>
inline void square(Read read, Along along, Write write) {
  Lanes half[TO][FROM];
  for (int j = 0; j < FROM; j++) {
    Lanes from[FROM], to[TO];
    for (int i = 0; i < FROM; i++) from[i] = read(i, j);
    along(from, to);
    for (int i = 0; i < TO; i++) half[i][j] = to[i];
  }
  for (int i = 0; i < TO; i++) {
    Lanes to[TO];
    along(half[i], to);
    for (int j = 0; j < TO; j++) write(i, j, to[j]);
  }
}

/// c [rows, filters] = a [rows, channels] b [channels, filters]; rows that are not there are computed and mean nothing.
template <int R, int V>
inline void multiply(const float *a, int64_t channels, const float *b, int64_t filters, const int64_t *begins, float *c) {
  Lanes total[R][V] = {};
  for (int64_t k = 0; k < channels; k++, b += filters) {
    Lanes row[V];
    for (int v = 0; v < V; v++) row[v] = load(b + begins[v]);
    for (int r = 0; r < R; r++)
      for (int v = 0; v < V; v++) total[r][v] += a[r * channels + k] * row[v];
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) store(c + r * filters + begins[v], total[r][v]);
}
/// c [R, V vectors] += a [count, channels]' b [count, filters] for R channels from the first of a on.
template <int R, int V>
inline void accumulate(const float *a, int64_t channels, const float *b, int64_t filters, const int64_t *begins, int64_t count, float *c,
                       int64_t padded) {
  Lanes total[R][V] = {};
  for (int64_t t = 0; t < count; t++, a += channels, b += filters) {
    Lanes row[V];
    for (int v = 0; v < V; v++) row[v] = load(b + begins[v]);
    for (int r = 0; r < R; r++)
      for (int v = 0; v < V; v++) total[r][v] += a[r] * row[v];
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) store(c + r * padded + v * LANES, load(c + r * padded + v * LANES) + total[r][v]);
}

/// Calls `body` with the number of vectors as a constant, for all vectors of a row, at most MOST_VECTORS at a time.
template <typename Body>
inline void groups(int64_t filters, Body body) {
  const int64_t all = vectorsOf(filters);
  for (int64_t at = 0; at < all;) {
    const int64_t some = all - at >= MOST_VECTORS ? MOST_VECTORS : all - at;
    int64_t begins[MOST_VECTORS];
    for (int64_t v = 0; v < some; v++) begins[v] = beginOf(at + v, filters);
    switch (some) {
      case 1: body(std::integral_constant<int, 1>(), begins, at * LANES); break;
      case 2: body(std::integral_constant<int, 2>(), begins, at * LANES); break;
      case 3: body(std::integral_constant<int, 3>(), begins, at * LANES); break;
      default: body(std::integral_constant<int, MOST_VECTORS>(), begins, at * LANES);
    }
    at += some;
  }
}

/// Where the numbers of a tile stand, those outside the picture in a row of zeros.
template <int SIDE>
inline void place(const float *picture, const int64_t (&size)[2], int64_t channels, int64_t top, int64_t left, const float *zeros,
                  const float *(&at)[SIDE][SIDE]) {
  for (int i = 0; i < SIDE; i++) {
    const bool isRow = top + i >= 0 && top + i < size[0];
    for (int j = 0; j < SIDE; j++)
      at[i][j] = isRow && left + j >= 0 && left + j < size[1] ? picture + ((top + i) * size[1] + left + j) * channels : zeros;
  }
}

/// Tiles of rows [from, to) of the source at the points: [36, tiles, channels].
void evaluateRows(const Winograd &w, const float *x, float *points, const float *zeros, int64_t from, int64_t to) {
  const int64_t plane = w.sourcePlane(), vectors = vectorsOf(w.channels), picture = w.input[0] * w.input[1] * w.channels;
  for (int64_t row = from; row < to; row++) {
    const float *own = x + row / w.tiles[0] * picture;
    for (int64_t column = 0; column < w.tiles[1]; column++) {
      const float *at[6][6];
      place<6>(own, w.input, w.channels, row % w.tiles[0] * w.tile - w.before[0], column * w.tile - w.before[1], zeros, at);
      float *target = points + ((row - from) * w.tiles[1] + column) * w.channels;
      for (int64_t v = 0; v < vectors; v++) {
        const int64_t c = beginOf(v, w.channels);
        square<6, 6>([&](int i, int j) { return load(at[i][j] + c); }, evaluate,
                     [&](int i, int j, const Lanes &t) { store(target + (i * 6 + j) * plane + c, t); });
      }
    }
  }
}

template <int TILE>
void resultRows(const Winograd &w, const float *products, const float *bias, float *y, int64_t from, int64_t to) {
  const int64_t plane = w.resultPlane(), vectors = vectorsOf(w.filters), K = w.filters;
  for (int64_t row = from; row < to; row++) {
    const int64_t top = row % w.tiles[0] * TILE, image = row / w.tiles[0];
    for (int64_t column = 0; column < w.tiles[1]; column++) {
      const int64_t left = column * TILE;
      const int64_t height = w.output[0] - top < TILE ? w.output[0] - top : TILE,
                    width = w.output[1] - left < TILE ? w.output[1] - left : TILE;
      const float *source = products + ((row - from) * w.tiles[1] + column) * K;
      float *target = y + ((image * w.output[0] + top) * w.output[1] + left) * K;
      for (int64_t v = 0; v < vectors; v++) {
        const int64_t k = beginOf(v, K);
        const Lanes add = bias ? load(bias + k) : Lanes{};
        Lanes half[TILE][6];
        for (int j = 0; j < 6; j++) {
          Lanes m[6], some[TILE];
          for (int i = 0; i < 6; i++) m[i] = load(source + (i * 6 + j) * plane + k);
          interpolate<TILE>(m, some);
          for (int i = 0; i < TILE; i++) half[i][j] = some[i];
        }
        for (int i = 0; i < TILE; i++) {
          if (i >= height) break;
          Lanes some[TILE];
          interpolate<TILE>(half[i], some);
          float *line = target + i * w.output[1] * K + k;
          for (int j = 0; j < TILE; j++)
            if (j < width) store(line + j * K, some[j] + add);
        }
      }
    }
  }
}

/// What reached the results of rows [from, to), at the points: [36, tiles, filters]; its sums by filter are added to `biases`.
template <int TILE>
void spreadRows(const Winograd &w, const float *dy, float *points, const float *zeros, float *biases, int64_t from, int64_t to) {
  const int64_t plane = w.resultPlane(), vectors = vectorsOf(w.filters), picture = w.output[0] * w.output[1] * w.filters;
  for (int64_t row = from; row < to; row++) {
    const float *own = dy + row / w.tiles[0] * picture;
    for (int64_t column = 0; column < w.tiles[1]; column++) {
      const float *at[TILE][TILE];
      place<TILE>(own, w.output, w.filters, row % w.tiles[0] * TILE, column * TILE, zeros, at);
      float *target = points + ((row - from) * w.tiles[1] + column) * w.filters;
      for (int64_t v = 0; v < vectors; v++) {
        const int64_t k = beginOf(v, w.filters);
        Lanes half[6][TILE], sum = {};
        for (int j = 0; j < TILE; j++) {
          Lanes y[TILE], m[6];
          for (int i = 0; i < TILE; i++) y[i] = load(at[i][j] + k), sum += y[i];
          spread<TILE>(y, m);
          for (int i = 0; i < 6; i++) half[i][j] = m[i];
        }
        for (int i = 0; i < 6; i++) {
          Lanes m[6];
          spread<TILE>(half[i], m);
          for (int j = 0; j < 6; j++) store(target + (i * 6 + j) * plane + k, m[j]);
        }
        store(biases + v * LANES, load(biases + v * LANES) + sum);
      }
    }
  }
}

template <int WINDOW>
void kernelChannels(const Winograd &w, const float *kernel, bool isTurned, float *points, int64_t from, int64_t to) {
  const int64_t C = w.channels, K = w.filters, plane = w.kernelPlane(), vectors = vectorsOf(K);
  for (int64_t c = from; c < to; c++) {
    for (int64_t v = 0; v < vectors; v++) {
      const int64_t k = beginOf(v, K);
      Lanes half[6][WINDOW];
      for (int j = 0; j < WINDOW; j++) {
        Lanes g[WINDOW], t[6];
        for (int i = 0; i < WINDOW; i++) {
          if (isTurned) {
            const float *first = kernel + (((WINDOW - 1 - i) * WINDOW + WINDOW - 1 - j) * K + k) * C + c;
            float column[LANES];
            for (int lane = 0; lane < LANES; lane++) column[lane] = first[lane * C];
            g[i] = load(column);
          } else g[i] = load(kernel + ((i * WINDOW + j) * C + c) * K + k);
        }
        evaluateKernel<WINDOW>(g, t);
        for (int i = 0; i < 6; i++) half[i][j] = t[i];
      }
      for (int i = 0; i < 6; i++) {
        Lanes t[6];
        evaluateKernel<WINDOW>(half[i], t);
        for (int j = 0; j < 6; j++) store(points + (i * 6 + j) * plane + c * K + k, t[j]);
      }
    }
  }
}

template <int WINDOW>
void gradientChannels(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *dkernel, int64_t from, int64_t to) {
  const int64_t C = w.channels, K = w.filters, plane = w.sumsPlane(), padded = w.paddedFilters(), vectors = vectorsOf(K);
  for (int64_t c = from; c < to; c++) {
    for (int64_t v = 0; v < vectors; v++) {
      Lanes half[WINDOW][6];
      for (int j = 0; j < 6; j++) {
        Lanes t[6], g[WINDOW];
        for (int i = 0; i < 6; i++) {
          const float *at = sums + (i * 6 + j) * plane + c * padded + v * LANES;
          t[i] = load(at);
          for (int64_t part = 1; part < parts; part++) t[i] += load(at + part * stride);
        }
        gatherKernel<WINDOW>(t, g);
        for (int i = 0; i < WINDOW; i++) half[i][j] = g[i];
      }
      for (int i = 0; i < WINDOW; i++) {
        Lanes g[WINDOW];
        gatherKernel<WINDOW>(half[i], g);
        for (int j = 0; j < WINDOW; j++) store(dkernel + ((i * WINDOW + j) * C + c) * K + beginOf(v, K), g[j]);
      }
    }
  }
}

void kernel(const Winograd &w, const float *kernel, bool isTurned, float *points, int64_t from, int64_t to) {
  (w.window == 3 ? kernelChannels<3> : kernelChannels<5>)(w, kernel, isTurned, points, from, to);
}

void result(const Winograd &w, const float *x, const float *points, const float *bias, float *y, float *scratch, int64_t from, int64_t to) {
  float *source = scratch + w.zeros(), *products = source + Winograd::POINTS * w.sourcePlane();
  std::memset(scratch, 0, w.zeros() * sizeof(float));
  evaluateRows(w, x, source, scratch, from, to);
  const int64_t tiles = (to - from) * w.tiles[1], C = w.channels, K = w.filters;
  for (int64_t point = 0; point < Winograd::POINTS; point++) {
    const float *a = source + point * w.sourcePlane(), *b = points + point * w.kernelPlane();
    float *c = products + point * w.resultPlane();
    groups(K, [&](auto vectors, const int64_t *begins, int64_t) {
      constexpr int V = decltype(vectors)::value, R = ROWS[V];
      for (int64_t t = 0; t < tiles; t += R) multiply<R, V>(a + t * C, C, b, K, begins, c + t * K);
    });
  }
  (w.tile == 4 ? resultRows<4> : resultRows<2>)(w, products, bias, y, from, to);
}

void gradient(const Winograd &w, const float *x, const float *dy, float *sums, float *biases, float *scratch, int64_t from, int64_t to) {
  float *source = scratch + w.zeros(), *flow = source + Winograd::POINTS * w.sourcePlane();
  std::memset(scratch, 0, w.zeros() * sizeof(float));
  evaluateRows(w, x, source, scratch, from, to);
  float *ownBiases = scratch + w.scratch();
  std::memset(ownBiases, 0, w.paddedFilters() * sizeof(float));
  (w.tile == 4 ? spreadRows<4> : spreadRows<2>)(w, dy, flow, scratch, ownBiases, from, to);
  for (int64_t v = 0; v < vectorsOf(w.filters); v++) store(biases + v * LANES, load(biases + v * LANES) + load(ownBiases + v * LANES));
  const int64_t tiles = (to - from) * w.tiles[1], C = w.channels, K = w.filters, padded = w.paddedFilters();
  for (int64_t point = 0; point < Winograd::POINTS; point++) {
    const float *a = source + point * w.sourcePlane(), *b = flow + point * w.resultPlane();
    float *c = sums + point * w.sumsPlane();
    groups(K, [&](auto vectors, const int64_t *begins, int64_t column) {
      constexpr int V = decltype(vectors)::value, R = ROWS[V];
      for (int64_t r = 0; r < C; r += R) accumulate<R, V>(a + r, C, b, K, begins, tiles, c + r * padded + column, padded);
    });
  }
}

void gradientEnd(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *dkernel, int64_t from, int64_t to) {
  (w.window == 3 ? gradientChannels<3> : gradientChannels<5>)(w, sums, parts, stride, dkernel, from, to);
}

void biasEnd(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *bias) {
  for (int64_t v = 0; v < vectorsOf(w.filters); v++) {
    Lanes total = load(sums + v * LANES);
    for (int64_t part = 1; part < parts; part++) total += load(sums + part * stride + v * LANES);
    store(bias + beginOf(v, w.filters), total);
  }
}

}  // namespace

extern const WinogradLoops winogradTable;
const WinogradLoops winogradTable = {kernel, result, gradient, gradientEnd, biasEnd};

}  // namespace FOVEA_NAMESPACE
}  // namespace fovea
