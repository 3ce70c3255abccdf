// Compiled once for each instruction set. Convolution by Winograd's way (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016): tiles of 6 by 6 of the source, as polynomials, are evaluated at 36 points, multiplied there by the
// kernel's values, and interpolated. At each point that is a matrix product of tiles x channels by channels x filters. For 3 x 3
// it multiplies 36 times where 144 multiplications are plain, for 5 x 5 36 in place of 100.
//
// Pictures of 2 by 2 with a border of zeros need no more than 9 points for 3 x 3, where 36 multiplications are plain: 3 along an
// axis, whose results g1 a + g2 b and g0 a + g1 b are g1 (a + b) + (g2 - g1) b and g1 (a + b) + (g0 - g1) a.
//
// The 6 points along an axis are 0, +-sqrt(1/2), +-sqrt(2) and infinity: a third of the rounding error of 0, +-1, +-2.
#include <cstring>
#include <type_traits>

#include "winograd-loops.hpp"

namespace fovea {
namespace FOVEA_NAMESPACE {
namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
// rows of a product that stay in registers, by its vectors a row; LARGE_ROWS: where kernels are large
constexpr int ROWS[] = {0, 16, 8, 8, 4}, LARGE_ROWS[] = {0, 16, 8, 8, 6};
#else
#if defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
constexpr int ROWS[] = {0, 8, 4, 4, 2}, LARGE_ROWS[] = {0, 8, 4, 4, 2};
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

/// Tiles of 6 by 6 of the source, for a window of 3 or 5.
template <int SIZE>
struct Six {
  static constexpr int WINDOW = SIZE, SOURCE = 6, POINTS = 6, TILE = 7 - SIZE;
  /// Six numbers of the source at the six points.
  static inline void evaluate(const Lanes (&d)[SOURCE], Lanes (&t)[POINTS]) {
    t[0] = d[0] - (A2 + B2) * d[2] + d[4];
    const Lanes ea = d[4] - B2 * d[2], oa = A * (d[3] - B2 * d[1]), eb = d[4] - A2 * d[2], ob = B * (d[3] - A2 * d[1]);
    t[1] = ea + oa;
    t[2] = ea - oa;
    t[3] = eb + ob;
    t[4] = eb - ob;
    t[5] = d[1] - (A2 + B2) * d[3] + d[5];
  }
  /// Results of a tile from the six points.
  static inline void interpolate(const Lanes (&m)[POINTS], Lanes (&y)[TILE]) {
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
  static inline void spread(const Lanes (&y)[TILE], Lanes (&m)[POINTS]) {
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
  static inline void kernel(const Lanes (&g)[WINDOW], Lanes (&t)[POINTS]) {
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
  static inline void gather(const Lanes (&t)[POINTS], Lanes (&g)[WINDOW]) {
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
};
/// A picture of 2 by 2 between zeros, for a window of 3.
struct Three {
  static constexpr int WINDOW = 3, SOURCE = 2, POINTS = 3, TILE = 2;
  static inline void evaluate(const Lanes (&d)[2], Lanes (&t)[3]) { t[0] = d[0] + d[1], t[1] = d[1], t[2] = d[0]; }
  static inline void interpolate(const Lanes (&m)[3], Lanes (&y)[2]) { y[0] = m[0] + m[1], y[1] = m[0] + m[2]; }
  static inline void spread(const Lanes (&y)[2], Lanes (&m)[3]) { m[0] = y[0] + y[1], m[1] = y[0], m[2] = y[1]; }
  static inline void kernel(const Lanes (&g)[3], Lanes (&t)[3]) { t[0] = g[1], t[1] = g[2] - g[1], t[2] = g[0] - g[1]; }
  static inline void gather(const Lanes (&t)[3], Lanes (&g)[3]) { g[0] = t[2], g[1] = t[0] - t[1] - t[2], g[2] = t[1]; }
};
/// Calls `body` with what stands for this convolution.
template <typename Body>
inline void byScheme(const Winograd &w, Body body) {
  if (w.points == 3) body(Three());
  else if (w.window == 3) body(Six<3>());
  else body(Six<5>());
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

/// c [R, V vectors] = a [R, channels] b [channels, V vectors]. A call of it would cost a tenth of a product with 16 channels.
template <int R, int V>
__attribute__((always_inline)) inline void multiply(const float *a, int64_t row, int64_t channels, const float *b, const int64_t *begins,
                                                    float *c, int64_t resultRow) {
  Lanes total[R][V] = {};
  for (int64_t k = 0; k < channels; k++, b += V * LANES) {
    Lanes line[V];
    for (int v = 0; v < V; v++) line[v] = load(b + v * LANES);
    for (int r = 0; r < R; r++)
      for (int v = 0; v < V; v++) total[r][v] += a[r * row + k] * line[v];
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) store(c + r * resultRow + begins[v], total[r][v]);
}
/// c [R, V vectors] = a [count, R]' b [count, V vectors], or that is added to c.
template <int R, int V>
__attribute__((always_inline)) inline void accumulate(const float *a, int64_t row, const float *b, int64_t resultRow, const int64_t *begins,
                                                      int64_t count, bool isFirst, float *c, int64_t padded) {
  Lanes total[R][V] = {};
  for (int64_t t = 0; t < count; t++, a += row, b += resultRow) {
    Lanes line[V];
    for (int v = 0; v < V; v++) line[v] = load(b + begins[v]);
    for (int r = 0; r < R; r++)
      for (int v = 0; v < V; v++) total[r][v] += a[r] * line[v];
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) {
      float *to = c + r * padded + v * LANES;
      store(to, isFirst ? total[r][v] : load(to) + total[r][v]);
    }
}

/// A panel: the filters of up to MOST_VECTORS vectors.
inline int64_t panelsOf(int64_t filters) { return (vectorsOf(filters) + MOST_VECTORS - 1) / MOST_VECTORS; }
constexpr int64_t PANEL = MOST_VECTORS * LANES;

/// Calls `body` with the number of vectors of a panel and that of rows that stay in registers as constants.
template <typename Body>
inline void inPanel(const Winograd &w, int64_t panel, Body body) {
  const int64_t first = panel * MOST_VECTORS, left = vectorsOf(w.filters) - first, some = left < MOST_VECTORS ? left : MOST_VECTORS;
  int64_t begins[MOST_VECTORS];
  for (int64_t v = 0; v < some; v++) begins[v] = beginOf(first + v, w.filters);
  const auto call = [&](auto vectors) {
    constexpr int V = decltype(vectors)::value;
    if (w.isShared) body(vectors, std::integral_constant<int, LARGE_ROWS[V]>(), begins);
    else body(vectors, std::integral_constant<int, ROWS[V]>(), begins);
  };
  switch (some) {
    case 1: call(std::integral_constant<int, 1>()); break;
    case 2: call(std::integral_constant<int, 2>()); break;
    case 3: call(std::integral_constant<int, 3>()); break;
    default: call(std::integral_constant<int, MOST_VECTORS>());
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

template <typename Scheme>
void sourceRows(const Winograd &w, const float *x, const float *zeros, float *points, int64_t from, int64_t to, int64_t first) {
  constexpr int SOURCE = Scheme::SOURCE, POINTS = Scheme::POINTS;
  const int64_t plane = w.sourcePlane(), vectors = vectorsOf(w.channels), picture = w.input[0] * w.input[1] * w.channels;
  for (int64_t row = from; row < to; row++) {
    const float *own = x + row / w.tiles[0] * picture;
    for (int64_t column = 0; column < w.tiles[1]; column++) {
      const float *at[SOURCE][SOURCE];
      place<SOURCE>(own, w.input, w.channels, row % w.tiles[0] * w.tile - w.before[0], column * w.tile - w.before[1], zeros, at);
      float *target = points + ((row - first) * w.tiles[1] + column) * w.sourceRow();
      for (int64_t v = 0; v < vectors; v++) {
        const int64_t c = beginOf(v, w.channels);
        square<SOURCE, POINTS>([&](int i, int j) { return load(at[i][j] + c); }, Scheme::evaluate,
                               [&](int i, int j, const Lanes &t) { store(target + (i * POINTS + j) * plane + c, t); });
      }
    }
  }
}

template <typename Scheme>
void resultRows(const Winograd &w, const float *products, const float *bias, float *y, int64_t from, int64_t to, int64_t first) {
  constexpr int TILE = Scheme::TILE, POINTS = Scheme::POINTS;
  const int64_t plane = w.resultPlane(), vectors = vectorsOf(w.filters), K = w.filters;
  for (int64_t row = from; row < to; row++) {
    const int64_t top = row % w.tiles[0] * TILE, image = row / w.tiles[0];
    for (int64_t column = 0; column < w.tiles[1]; column++) {
      const int64_t left = column * TILE;
      const int64_t height = w.output[0] - top < TILE ? w.output[0] - top : TILE,
                    width = w.output[1] - left < TILE ? w.output[1] - left : TILE;
      const float *source = products + ((row - first) * w.tiles[1] + column) * w.resultRow();
      float *target = y + ((image * w.output[0] + top) * w.output[1] + left) * K;
      for (int64_t v = 0; v < vectors; v++) {
        const int64_t k = beginOf(v, K);
        const Lanes add = bias ? load(bias + k) : Lanes{};
        Lanes half[TILE][POINTS];
        for (int j = 0; j < POINTS; j++) {
          Lanes m[POINTS], some[TILE];
          for (int i = 0; i < POINTS; i++) m[i] = load(source + (i * POINTS + j) * plane + k);
          Scheme::interpolate(m, some);
          for (int i = 0; i < TILE; i++) half[i][j] = some[i];
        }
        for (int i = 0; i < TILE; i++) {
          if (i >= height) break;
          Lanes some[TILE];
          Scheme::interpolate(half[i], some);
          float *line = target + i * w.output[1] * K + k;
          for (int j = 0; j < TILE; j++)
            if (j < width) store(line + j * K, some[j] + add);
        }
      }
    }
  }
}

template <typename Scheme>
void flowRows(const Winograd &w, const float *dy, const float *zeros, float *points, float *biases, int64_t from, int64_t to,
              int64_t first) {
  constexpr int TILE = Scheme::TILE, POINTS = Scheme::POINTS;
  const int64_t plane = w.resultPlane(), vectors = vectorsOf(w.filters), picture = w.output[0] * w.output[1] * w.filters;
  for (int64_t row = from; row < to; row++) {
    const float *own = dy + row / w.tiles[0] * picture;
    for (int64_t column = 0; column < w.tiles[1]; column++) {
      const float *at[TILE][TILE];
      place<TILE>(own, w.output, w.filters, row % w.tiles[0] * TILE, column * TILE, zeros, at);
      float *target = points + ((row - first) * w.tiles[1] + column) * w.resultRow();
      for (int64_t v = 0; v < vectors; v++) {
        const int64_t k = beginOf(v, w.filters);
        Lanes sum = {};
        square<TILE, POINTS>(
            [&](int i, int j) {
              const Lanes y = load(at[i][j] + k);
              sum += y;
              return y;
            },
            Scheme::spread, [&](int i, int j, const Lanes &m) { store(target + (i * POINTS + j) * plane + k, m); });
        store(biases + v * LANES, load(biases + v * LANES) + sum);
      }
    }
  }
}

/// So many channels at a time: those of a turned kernel are read as whole lines.
template <typename Scheme>
void kernelChannels(const Winograd &w, const float *kernel, bool isTurned, float *points, int64_t from, int64_t to) {
  constexpr int WINDOW = Scheme::WINDOW, POINTS = Scheme::POINTS, TAPS = WINDOW * WINDOW;
  const int64_t C = w.channels, K = w.filters, plane = w.kernelPlane();
  float turned[TAPS][LANES][PANEL];
  for (int64_t begin = from; begin < to; begin += LANES) {
    const int64_t some = to - begin < LANES ? to - begin : LANES;
    for (int64_t panel = 0; panel < panelsOf(K); panel++) {
      inPanel(w, panel, [&](auto vectors, auto, const int64_t *begins) {
        constexpr int V = decltype(vectors)::value;
        if (isTurned)
          for (int tap = 0; tap < TAPS; tap++)
            for (int v = 0; v < V; v++)
              for (int lane = 0; lane < LANES; lane++) {
                const float *line = kernel + ((TAPS - 1 - tap) * K + begins[v] + lane) * C + begin;
                for (int64_t c = 0; c < some; c++) turned[tap][c][v * LANES + lane] = line[c];
              }
        float *target = points + panel * PANEL * C + begin * V * LANES;
        for (int64_t c = 0; c < some; c++)
          for (int v = 0; v < V; v++, target += LANES)
            square<WINDOW, POINTS>(
                [&](int i, int j) {
                  const int tap = i * WINDOW + j;
                  return load(isTurned ? turned[tap][c] + v * LANES : kernel + (tap * C + begin + c) * K + begins[v]);
                },
                Scheme::kernel, [&](int i, int j, const Lanes &t) { store(target + (i * POINTS + j) * plane, t); });
      });
    }
  }
}

template <typename Scheme>
void gradientChannels(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *dkernel, int64_t from, int64_t to) {
  constexpr int WINDOW = Scheme::WINDOW, POINTS = Scheme::POINTS;
  const int64_t C = w.channels, K = w.filters, plane = w.sumsPlane(), padded = w.paddedFilters(), vectors = vectorsOf(K);
  for (int64_t c = from; c < to; c++)
    for (int64_t v = 0; v < vectors; v++)
      square<POINTS, WINDOW>(
          [&](int i, int j) {
            const float *at = sums + (i * POINTS + j) * plane + c * padded + v * LANES;
            Lanes t = load(at);
            for (int64_t part = 1; part < parts; part++) t += load(at + part * stride);
            return t;
          },
          Scheme::gather, [&](int i, int j, const Lanes &g) { store(dkernel + ((i * WINDOW + j) * C + c) * K + beginOf(v, K), g); });
}

void kernel(const Winograd &w, const float *kernel, bool isTurned, float *points, int64_t from, int64_t to) {
  byScheme(w, [&](auto scheme) { kernelChannels<decltype(scheme)>(w, kernel, isTurned, points, from, to); });
}
void source(const Winograd &w, const float *x, const float *zeros, float *points, int64_t from, int64_t to, int64_t first) {
  byScheme(w, [&](auto scheme) { sourceRows<decltype(scheme)>(w, x, zeros, points, from, to, first); });
}
void result(const Winograd &w, const float *products, const float *bias, float *y, int64_t from, int64_t to, int64_t first) {
  byScheme(w, [&](auto scheme) { resultRows<decltype(scheme)>(w, products, bias, y, from, to, first); });
}
void flow(const Winograd &w, const float *dy, const float *zeros, float *points, float *biases, int64_t from, int64_t to, int64_t first) {
  byScheme(w, [&](auto scheme) { flowRows<decltype(scheme)>(w, dy, zeros, points, biases, from, to, first); });
}
void gradientEnd(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *dkernel, int64_t from, int64_t to) {
  byScheme(w, [&](auto scheme) { gradientChannels<decltype(scheme)>(w, sums, parts, stride, dkernel, from, to); });
}

int64_t pieces(const Winograd &w) { return w.planes() * panelsOf(w.filters); }

/// Rows that are not there are computed and mean nothing.
void products(const Winograd &w, const float *source, const float *kernel, float *products, int64_t tiles, int64_t from, int64_t to) {
  const int64_t panels = panelsOf(w.filters), C = w.channels;
  for (int64_t piece = from; piece < to; piece++) {
    const int64_t point = piece / panels, panel = piece % panels;
    const float *a = source + point * w.sourcePlane(), *b = kernel + point * w.kernelPlane() + panel * PANEL * C;
    float *c = products + point * w.resultPlane();
    inPanel(w, panel, [&](auto vectors, auto rows, const int64_t *begins) {
      constexpr int V = decltype(vectors)::value, R = decltype(rows)::value;
      for (int64_t t = 0; t < tiles; t += R)
        multiply<R, V>(a + t * w.sourceRow(), w.sourceRow(), C, b, begins, c + t * w.resultRow(), w.resultRow());
    });
  }
}

void sums(const Winograd &w, const float *source, const float *flow, float *sums, int64_t tiles, bool isFirst, int64_t from, int64_t to) {
  const int64_t panels = panelsOf(w.filters), padded = w.paddedFilters();
  for (int64_t piece = from; piece < to; piece++) {
    const int64_t point = piece / panels, panel = piece % panels;
    const float *a = source + point * w.sourcePlane(), *b = flow + point * w.resultPlane();
    float *c = sums + point * w.sumsPlane() + panel * PANEL;
    inPanel(w, panel, [&](auto vectors, auto rows, const int64_t *begins) {
      constexpr int V = decltype(vectors)::value, R = decltype(rows)::value;
      for (int64_t r = 0; r < w.channels; r += R)
        accumulate<R, V>(a + r, w.sourceRow(), b, w.resultRow(), begins, tiles, isFirst, c + r * padded, padded);
    });
  }
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
const WinogradLoops winogradTable = {kernel, source, pieces, products, result, flow, sums, gradientEnd, biasEnd};

}  // namespace FOVEA_NAMESPACE
}  // namespace fovea
