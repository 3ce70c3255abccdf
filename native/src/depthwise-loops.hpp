// The gradient of a depthwise convolution's kernel, compiled once for each instruction set (depthwise.vector.cc).
#pragma once

#include <cstdint>

namespace fovea {

/// Filters are taken sixteen at a time, and so many of such vectors together: 256 bytes of a place.
constexpr int64_t DEPTHWISE_LANES = 16, DEPTHWISE_VECTORS = 4;
/// Taps side by side that share a place of dy.
constexpr int64_t DEPTHWISE_TAPS = 3;

/// Places of dy and, of x, those under some taps side by side; all steps are floats.
struct DepthwiseRun {
  int64_t counts[3], x[3], dy[3];     // places, and from one to the next, the most of them last
  int64_t taps, tap;                  // how many; of x from one to the next
  int64_t vectors;                    // of sixteen filters
  int64_t starts[DEPTHWISE_VECTORS];  // of each, in a place
  int64_t sums;                       // from the sums of one vector to those of the next
};

/// Filters to be copied from places with so many channels: filter f is of channel f / multiplier. Of fewer than sixteen the lanes
/// beyond are 0.
struct DepthwiseCopy {
  int64_t channels, multiplier, filters;
  int64_t vectors;
  int64_t starts[DEPTHWISE_VECTORS];
};

struct DepthwiseLoops {
  /// Adds the products at so many places to sums [vectors][taps, 16].
  void (*products)(const DepthwiseRun &run, const float *x, const float *dy, float *sums);
  /// Adds dy to sums [vectors][16].
  void (*flow)(const DepthwiseRun &run, const float *dy, float *sums);
  /// to [places, vectors, 16] in float32
  void (*copy)(const DepthwiseCopy &copy, const void *from, bool isBfloat16, int64_t places, float *to);
};
const DepthwiseLoops &depthwiseLoops();

}  // namespace fovea
