// Poolings and their gradients, compiled once for each instruction set (pooling.vector.cc).
#pragma once

#include <cstdint>

namespace fovea {

/// Sliding windows over [n, ...spatial, channels] as three spatial axes, those that are not there of size 1.
struct Windows {
  int64_t images, channels;
  int64_t input[3], output[3], window[3], stride[3], before[3];
  /// Means are over whole windows, borders included.
  bool countsPadding;
};

/// Sums of more numbers are kept in double: those of a window, and of the windows that cover a place.
constexpr int64_t LONG_SUM = 256;
static inline bool isLarge(const Windows &w) { return w.window[0] * w.window[1] * w.window[2] > LONG_SUM; }
static inline bool isCrowded(const Windows &w) {
  int64_t covering = 1;
  for (int axis = 0; axis < 3; axis++) {
    const int64_t most = (w.window[axis] + w.stride[axis] - 1) / w.stride[axis];
    covering *= most < w.output[axis] ? most : w.output[axis];
  }
  return covering > LONG_SUM;
}

/// Which of a window's places holds the largest, counting those inside the input; with CLOSED where that is not above 0.
constexpr uint8_t CLOSED = 0x80, NOWHERE = 0x7f;
constexpr int64_t MOST_PLACES = NOWHERE;

struct PoolingLoops {
  /// Rows [from, to) of the result, rows numbered over (image, depth, height); `places` may be null.
  void (*maxPool)(const Windows &w, const void *x, void *y, uint8_t *places, bool isBfloat16, int64_t from, int64_t to);
  /// dx of images [from, to) from dy and places; where `isGated`, what is CLOSED times 0.
  void (*scatter)(const Windows &w, const uint8_t *places, bool isGated, const void *dy, void *dx, bool isBfloat16, float *scratch,
                  int64_t from, int64_t to);
  /// The same where x and y are known in place of the places. Scratch: an image of floats, of doubles where `isCrowded`, and
  /// `channels` floats.
  void (*maxPoolGradient)(const Windows &w, const void *x, const void *y, const void *dy, void *dx, bool isBfloat16, float *scratch,
                          int64_t from, int64_t to);
  /// Rows [from, to) of the result, as of maxPool: g at the place of each window's largest.
  void (*maxPoolTake)(const Windows &w, const void *x, const void *y, const void *g, void *z, bool isBfloat16, int64_t from, int64_t to);
  void (*averagePool)(const Windows &w, const void *x, void *y, bool isBfloat16, int64_t from, int64_t to);
  void (*averagePoolGradient)(const Windows &w, const void *dy, void *dx, bool isBfloat16, float *scratch, int64_t from, int64_t to);
};
const PoolingLoops &poolingLoops();

}  // namespace fovea
