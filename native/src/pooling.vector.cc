// Compiled once for each instruction set: poolings and their gradients.
#include <cstring>

#include "pooling-loops.hpp"

namespace fovea {
namespace FOVEA_NAMESPACE {

#include "math.inl"

// functions that give vectors are all inlined: how they would be returned does not matter
#pragma GCC diagnostic ignored "-Wpsabi"
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Words __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint8_t Octets __attribute__((vector_size(16)));
constexpr int64_t LANES = 16;
// by way of half words: directly the compiler takes element by element
static inline Words wordsOf(const Octets &x) { return __builtin_convertvector(__builtin_convertvector(x, Halves), Words); }
static inline Octets octetsOf(const Words &x) { return __builtin_convertvector(__builtin_convertvector(x, Halves), Octets); }

/// The first `n` of sixteen: all of them but for tensors of few channels.
template <typename Vector, typename Number>
static inline Vector loadOf(const Number *from, int64_t n) {
  Vector to = {};
  if (n == LANES) std::memcpy(&to, from, sizeof to);
  else std::memcpy(&to, from, n * sizeof(Number));
  return to;
}
template <typename Vector, typename Number>
static inline void storeOf(Number *to, const Vector &from, int64_t n) {
  if (n == LANES) std::memcpy(to, &from, sizeof from);
  else std::memcpy(to, &from, n * sizeof(Number));
}

struct Float32 {
  using Stored = float;
  using Vector = Floats;
  static float load(float x) { return x; }
  static float store(float x) { return x; }
  /// Of a number that was stored before.
  static float again(float x) { return x; }
  static Floats load(const Floats &x) { return x; }
  static Floats again(const Floats &x) { return x; }
  static Floats only(const Octets &mask, const Floats &x) { return (Floats)((Words)x & (wordsOf(mask) != 0)); }
};
struct Bfloat16 {
  using Stored = uint16_t;
  using Vector = Halves;
  static float load(uint16_t x) { return fromBfloat16(x); }
  static uint16_t store(float x) { return toBfloat16(x); }
  static uint16_t again(float x) { return uint16_t(bitsOf(x) >> 16); }
  static Floats load(const Halves &x) { return (Floats)(__builtin_convertvector(x, Words) << 16); }
  static Halves again(const Floats &x) { return __builtin_convertvector((Words)x >> 16, Halves); }
  static Halves only(const Octets &mask, const Halves &x) { return x & (Halves)(__builtin_convertvector(mask, Halves) != 0); }
};

/// Places of a window along one axis that lie inside the input: [first, last) of the window, and the input's first.
struct Reach {
  int64_t first, last, input;
};
static inline Reach reachOf(const Windows &w, int axis, int64_t output) {
  const int64_t at = output * w.stride[axis] - w.before[axis];
  const int64_t first = at < 0 ? -at : 0;
  const int64_t room = w.input[axis] - at;
  return {first, room < w.window[axis] ? room : w.window[axis], at};
}

/// Calls `visit` with the offset in x of the first place of each row that a window covers.
template <typename Visit>
static inline void eachRow(const Windows &w, int64_t image, const Reach &d, const Reach &h, const Reach &v, Visit visit) {
  for (int64_t i = d.first; i < d.last; i++)
    for (int64_t j = h.first; j < h.last; j++)
      visit((((image * w.input[0] + d.input + i) * w.input[1] + h.input + j) * w.input[2] + v.input + v.first) * w.channels);
}
/// The same with each place, in row-major order.
template <typename Visit>
static inline void eachCovered(const Windows &w, int64_t image, const Reach &d, const Reach &h, const Reach &v, Visit visit) {
  eachRow(w, image, d, h, v, [&](int64_t place) {
    for (int64_t k = v.first; k < v.last; k++, place += w.channels) visit(place);
  });
}
/// What a mean divides by.
static inline int64_t countOf(const Windows &w, const Reach &d, const Reach &h, const Reach &v) {
  if (w.countsPadding) return w.window[0] * w.window[1] * w.window[2];
  return (d.last - d.first) * (h.last - h.first) * (v.last - v.first);
}

/// Calls `visit` with the window of every output place of rows [from, to), rows numbered over (image, depth, height).
template <typename Visit>
static inline void eachWindow(const Windows &w, int64_t from, int64_t to, Visit visit) {
  for (int64_t row = from; row < to; row++) {
    const int64_t image = row / (w.output[0] * w.output[1]);
    const Reach d = reachOf(w, 0, row / w.output[1] % w.output[0]), h = reachOf(w, 1, row % w.output[1]);
    for (int64_t column = 0; column < w.output[2]; column++)
      visit(image, d, h, reachOf(w, 2, column), (row * w.output[2] + column) * w.channels);
  }
}

/// Calls `body` for sixteen channels at a time; the last ones may be some of those before as well.
template <typename Body>
static inline void bySixteen(int64_t channels, Body body) {
  if (channels < LANES) return body(0, channels);
  for (int64_t start = 0; start < channels; start += LANES) body(start + LANES <= channels ? start : channels - LANES, LANES);
}

constexpr int64_t STRIP = 64;  // of channels, so that what is known of them stays in registers or the first cache

template <typename T>
static void maxPoolOf(const Windows &w, const typename T::Stored *x, typename T::Stored *y, int64_t from, int64_t to) {
  eachWindow(w, from, to, [&](int64_t image, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
    for (int64_t start = 0; start < w.channels; start += STRIP) {
      const int64_t n = w.channels - start < STRIP ? w.channels - start : STRIP;
      float most[STRIP];
      bool isFirst = true;
      eachCovered(w, image, d, h, v, [&](int64_t place) {
        const typename T::Stored *source = x + place + start;
        if (isFirst) {
          EACH most[i] = T::load(source[i]);
        } else {
          EACH {
            const float one = T::load(source[i]);
            most[i] = most[i] >= one || most[i] != most[i] ? most[i] : one;
          }
        }
        isFirst = false;
      });
      EACH y[at + start + i] = T::again(most[i]);
    }
  });
}

/// The same for windows of four places, and which of them it was where that is NOTED.
template <typename T, bool NOTED>
static void maxPoolOfFour(const Windows &w, const typename T::Stored *x, typename T::Stored *y, uint8_t *places, int64_t from, int64_t to) {
  eachWindow(w, from, to, [&](int64_t image, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
    const typename T::Stored *of[4];
    int count = 0;
    eachCovered(w, image, d, h, v, [&](int64_t place) { of[count++] = x + place; });
    bySixteen(w.channels, [&](int64_t start, int64_t n) {
      Floats most = T::load(loadOf<typename T::Vector>(of[0] + start, n));
      Words which = {};
      for (int k = 1; k < 4; k++) {
        const Floats one = T::load(loadOf<typename T::Vector>(of[k] + start, n));
        const Words stays = (most >= one) | (most != most);
        if (NOTED) which = stays ? which : Words{} + k;
        most = stays ? most : one;
      }
      storeOf(y + at + start, T::again(most), n);
      if (!NOTED) return;
      which |= (most != most) & NOWHERE;
      which |= ~(most > 0.0f) & CLOSED;
      storeOf(places + at + start, octetsOf(which), n);
    });
  });
}

/// Which place of a window it was, where the largest is known.
template <typename T>
static void placesOf(const Windows &w, const typename T::Stored *x, const typename T::Stored *y, uint8_t *places, int64_t from,
                     int64_t to) {
  const int64_t n = w.channels;
  eachWindow(w, from, to, [&](int64_t image, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
    const typename T::Stored *most = y + at;
    uint8_t *target = places + at, k = 0;
    EACH target[i] = NOWHERE;
    eachCovered(w, image, d, h, v, [&](int64_t place) {
      const typename T::Stored *source = x + place;
      EACH target[i] = target[i] == NOWHERE && T::load(source[i]) == T::load(most[i]) ? k : target[i];
      k++;
    });
    EACH target[i] |= 0.0f < T::load(most[i]) ? 0 : CLOSED;
  });
}

/// What flows through a window: dy, or dy times 0 where it is closed.
template <typename T>
static inline typename T::Stored flowOf(typename T::Stored dy, uint8_t isClosed) {
  return isClosed ? T::again(T::load(dy) * 0.0f) : dy;
}

/// Whether every input place lies in one window at most, and whether in one at least.
static bool tilesOf(const Windows &w, bool &isFull) {
  isFull = true;
  bool isOnce = true;
  for (int axis = 0; axis < 3; axis++) {
    isOnce = isOnce && w.stride[axis] >= w.window[axis];
    isFull = isFull && w.before[axis] == 0 && w.stride[axis] == w.window[axis] && w.output[axis] * w.stride[axis] == w.input[axis];
  }
  return isOnce;
}

template <typename T>
static void scatterOf(const Windows &w, const uint8_t *places, bool isGated, const typename T::Stored *dy, typename T::Stored *dx,
                      float *sums, int64_t from, int64_t to) {
  const uint8_t closed = isGated ? CLOSED : 0;
  const int64_t rows = w.output[0] * w.output[1], size = w.input[0] * w.input[1] * w.input[2] * w.channels;
  bool isFull;
  const bool isOnce = tilesOf(w, isFull);
  for (int64_t image = from; image < to; image++) {
    typename T::Stored *own = dx + image * size;
    if (!isOnce) std::memset(sums, 0, size * sizeof(float));
    else if (!isFull) std::memset(own, 0, size * sizeof(*own));
    eachWindow(w, image * rows, (image + 1) * rows, [&](int64_t, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
      if (isOnce) {
        bySixteen(w.channels, [&](int64_t start, int64_t n) {
          const Octets place = loadOf<Octets>(places + at + start, n);
          auto flow = loadOf<typename T::Vector>(dy + at + start, n);
          if (isGated) {
            const Words open = wordsOf(place & CLOSED) == 0;
            const Floats wide = T::load(flow);
            flow = T::again(open ? wide : wide * 0.0f);
          }
          uint8_t k = 0;
          eachCovered(w, 0, d, h, v, [&](int64_t offset) {
            storeOf(own + offset + start, T::only((Octets)((place & NOWHERE) == k), flow), n);
            k++;
          });
        });
        return;
      }
      const int64_t n = w.channels;
      const uint8_t *place = places + at;
      const typename T::Stored *source = dy + at;
      uint8_t k = 0;
      eachCovered(w, 0, d, h, v, [&](int64_t offset) {
        float *target = sums + offset;
        EACH target[i] += (place[i] & NOWHERE) == k ? T::load(flowOf<T>(source[i], place[i] & closed)) : 0.0f;
        k++;
      });
    });
    if (!isOnce)
      for (int64_t i = 0; i < size; i++) own[i] = T::store(sums[i]);
  }
}

/// The same where no places were noted: from x and y.
template <typename T, typename Sum>
static void maxPoolGradientOf(const Windows &w, const typename T::Stored *x, const typename T::Stored *y, const typename T::Stored *dy,
                              typename T::Stored *dx, float *scratch, int64_t from, int64_t to) {
  const int64_t n = w.channels, rows = w.output[0] * w.output[1];
  const int64_t size = w.input[0] * w.input[1] * w.input[2] * n;
  Sum *sums = reinterpret_cast<Sum *>(scratch);
  int32_t *done = reinterpret_cast<int32_t *>(sums + size);
  bool isFull;
  if (tilesOf(w, isFull) && isFull) {
    eachWindow(w, from * rows, to * rows, [&](int64_t image, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
      const typename T::Stored *most = y + at, *flow = dy + at;
      EACH done[i] = 0;
      eachCovered(w, image, d, h, v, [&](int64_t place) {
        const typename T::Stored *source = x + place;
        typename T::Stored *target = dx + place;
        EACH {
          const int32_t hit = !done[i] & (T::load(source[i]) == T::load(most[i]));
          target[i] = hit ? flow[i] : typename T::Stored(0);
          done[i] |= hit;
        }
      });
    });
    return;
  }
  for (int64_t image = from; image < to; image++) {
    std::memset(sums, 0, size * sizeof(Sum));
    eachWindow(w, image * rows, (image + 1) * rows, [&](int64_t, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
      const typename T::Stored *most = y + at, *flow = dy + at;
      EACH done[i] = 0;
      eachCovered(w, 0, d, h, v, [&](int64_t place) {
        const typename T::Stored *source = x + image * size + place;
        Sum *target = sums + place;
        EACH {
          const int32_t hit = !done[i] & (T::load(source[i]) == T::load(most[i]));
          target[i] = hit ? target[i] + T::load(flow[i]) : target[i];
          done[i] |= hit;
        }
      });
    });
    typename T::Stored *target = dx + image * size;
    for (int64_t i = 0; i < size; i++) target[i] = T::store(float(sums[i]));
  }
}

template <typename T>
static void maxPoolTakeOf(const Windows &w, const typename T::Stored *x, const typename T::Stored *y, const typename T::Stored *g,
                          typename T::Stored *z, int64_t from, int64_t to) {
  eachWindow(w, from, to, [&](int64_t image, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
    for (int64_t start = 0; start < w.channels; start += STRIP) {
      const int64_t n = w.channels - start < STRIP ? w.channels - start : STRIP;
      const typename T::Stored *most = y + at + start;
      typename T::Stored taken[STRIP] = {};
      int32_t done[STRIP] = {};
      eachCovered(w, image, d, h, v, [&](int64_t place) {
        const typename T::Stored *source = x + place + start, *value = g + place + start;
        EACH {
          const int32_t hit = !done[i] & (T::load(source[i]) == T::load(most[i]));
          taken[i] = hit ? value[i] : taken[i];
          done[i] |= hit;
        }
      });
      std::memcpy(z + at + start, taken, n * sizeof(*z));
    }
  });
}

template <typename T>
static void averagePoolOf(const Windows &w, const typename T::Stored *x, typename T::Stored *y, int64_t from, int64_t to) {
  eachWindow(w, from, to, [&](int64_t image, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
    const float count = float(countOf(w, d, h, v));
    for (int64_t start = 0; start < w.channels; start += STRIP) {
      const int64_t n = w.channels - start < STRIP ? w.channels - start : STRIP;
      float sums[STRIP] = {};
      eachCovered(w, image, d, h, v, [&](int64_t place) { EACH sums[i] += T::load(x[place + start + i]); });
      EACH y[at + start + i] = T::store(sums[i] / count);
    }
  });
}

/// The same for large windows: neighbours along the width are added in float, a piece at a time, and the pieces in double.
template <typename T>
static void largeAveragePoolOf(const Windows &w, const typename T::Stored *x, typename T::Stored *y, int64_t from, int64_t to) {
  constexpr int64_t PIECE = 32;
  eachWindow(w, from, to, [&](int64_t image, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
    const double count = double(countOf(w, d, h, v));
    for (int64_t start = 0; start < w.channels; start += STRIP) {
      const int64_t n = w.channels - start < STRIP ? w.channels - start : STRIP;
      double sums[STRIP] = {};
      for (int64_t first = v.first; first < v.last; first += PIECE) {
        const Reach piece = {first, first + PIECE < v.last ? first + PIECE : v.last, v.input};
        eachRow(w, image, d, h, piece, [&](int64_t place) {
          const typename T::Stored *source = x + place + start;
          float part[STRIP];
          EACH part[i] = 0;
          for (int64_t k = piece.first; k < piece.last; k++, source += w.channels) EACH part[i] += T::load(source[i]);
          EACH sums[i] += part[i];
        });
      }
      EACH y[at + start + i] = T::store(float(sums[i] / count));
    }
  });
}

template <typename T, typename Sum>
static void averagePoolGradientOf(const Windows &w, const typename T::Stored *dy, typename T::Stored *dx, float *scratch, int64_t from,
                                  int64_t to) {
  Sum *sums = reinterpret_cast<Sum *>(scratch);
  const int64_t n = w.channels, rows = w.output[0] * w.output[1];
  const int64_t size = w.input[0] * w.input[1] * w.input[2] * n;
  for (int64_t image = from; image < to; image++) {
    std::memset(sums, 0, size * sizeof(Sum));
    eachWindow(w, image * rows, (image + 1) * rows, [&](int64_t, const Reach &d, const Reach &h, const Reach &v, int64_t at) {
      const float count = float(countOf(w, d, h, v));
      eachCovered(w, 0, d, h, v, [&](int64_t place) { EACH sums[place + i] += T::load(dy[at + i]) / count; });
    });
    for (int64_t i = 0; i < size; i++) dx[image * size + i] = T::store(float(sums[i]));
  }
}

template <typename T>
static void maxPoolAs(const Windows &w, const void *x, void *y, uint8_t *places, int64_t from, int64_t to) {
  using Stored = typename T::Stored;
  const Stored *source = static_cast<const Stored *>(x);
  Stored *target = static_cast<Stored *>(y);
  bool isFull;
  if (tilesOf(w, isFull) && isFull && w.window[0] * w.window[1] * w.window[2] == 4)
    return (places ? maxPoolOfFour<T, true> : maxPoolOfFour<T, false>)(w, source, target, places, from, to);
  maxPoolOf<T>(w, source, target, from, to);
  if (places) placesOf<T>(w, source, target, places, from, to);
}
static void maxPool(const Windows &w, const void *x, void *y, uint8_t *places, bool isBfloat16, int64_t from, int64_t to) {
  (isBfloat16 ? maxPoolAs<Bfloat16> : maxPoolAs<Float32>)(w, x, y, places, from, to);
}
static void scatter(const Windows &w, const uint8_t *places, bool isGated, const void *dy, void *dx, bool isBfloat16, float *scratch,
                    int64_t from, int64_t to) {
  if (isBfloat16)
    scatterOf<Bfloat16>(w, places, isGated, static_cast<const uint16_t *>(dy), static_cast<uint16_t *>(dx), scratch, from, to);
  else scatterOf<Float32>(w, places, isGated, static_cast<const float *>(dy), static_cast<float *>(dx), scratch, from, to);
}
template <typename T>
static void maxPoolGradientAs(const Windows &w, const void *x, const void *y, const void *dy, void *dx, float *scratch, int64_t from,
                              int64_t to) {
  using Stored = typename T::Stored;
  const auto loop = isCrowded(w) ? maxPoolGradientOf<T, double> : maxPoolGradientOf<T, float>;
  loop(w, static_cast<const Stored *>(x), static_cast<const Stored *>(y), static_cast<const Stored *>(dy), static_cast<Stored *>(dx),
       scratch, from, to);
}
static void maxPoolGradient(const Windows &w, const void *x, const void *y, const void *dy, void *dx, bool isBfloat16, float *scratch,
                            int64_t from, int64_t to) {
  (isBfloat16 ? maxPoolGradientAs<Bfloat16> : maxPoolGradientAs<Float32>)(w, x, y, dy, dx, scratch, from, to);
}
template <typename T>
static void maxPoolTakeAs(const Windows &w, const void *x, const void *y, const void *g, void *z, int64_t from, int64_t to) {
  using Stored = typename T::Stored;
  maxPoolTakeOf<T>(w, static_cast<const Stored *>(x), static_cast<const Stored *>(y), static_cast<const Stored *>(g),
                   static_cast<Stored *>(z), from, to);
}
static void maxPoolTake(const Windows &w, const void *x, const void *y, const void *g, void *z, bool isBfloat16, int64_t from, int64_t to) {
  (isBfloat16 ? maxPoolTakeAs<Bfloat16> : maxPoolTakeAs<Float32>)(w, x, y, g, z, from, to);
}
template <typename T>
static void averagePoolAs(const Windows &w, const void *x, void *y, int64_t from, int64_t to) {
  using Stored = typename T::Stored;
  (isLarge(w) ? largeAveragePoolOf<T> : averagePoolOf<T>)(w, static_cast<const Stored *>(x), static_cast<Stored *>(y), from, to);
}
static void averagePool(const Windows &w, const void *x, void *y, bool isBfloat16, int64_t from, int64_t to) {
  (isBfloat16 ? averagePoolAs<Bfloat16> : averagePoolAs<Float32>)(w, x, y, from, to);
}
template <typename T>
static void averagePoolGradientAs(const Windows &w, const void *dy, void *dx, float *scratch, int64_t from, int64_t to) {
  using Stored = typename T::Stored;
  const auto loop = isCrowded(w) ? averagePoolGradientOf<T, double> : averagePoolGradientOf<T, float>;
  loop(w, static_cast<const Stored *>(dy), static_cast<Stored *>(dx), scratch, from, to);
}
static void averagePoolGradient(const Windows &w, const void *dy, void *dx, bool isBfloat16, float *scratch, int64_t from, int64_t to) {
  (isBfloat16 ? averagePoolGradientAs<Bfloat16> : averagePoolGradientAs<Float32>)(w, dy, dx, scratch, from, to);
}

extern const PoolingLoops poolingTable;
const PoolingLoops poolingTable = {maxPool, scatter, maxPoolGradient, maxPoolTake, averagePool, averagePoolGradient};

}  // namespace FOVEA_NAMESPACE
}  // namespace fovea
