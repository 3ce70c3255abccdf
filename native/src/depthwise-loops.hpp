// The gradient of a depthwise convolution's kernel, compiled once for each instruction set (depthwise.vector.cc).
#pragma once

#include <cstdint>

namespace fovea {

/// Channels that the loops take at once.
constexpr int64_t DEPTHWISE_LANES = 16;
/// Such vectors of channels at most that are copied together: 256 bytes of a place.
constexpr int64_t DEPTHWISE_VECTORS = 4;

/// Some vectors of the filters as they are copied from [places, channels]: filter f is of channel f / multiplier. The last vector
/// of sixteen filters or more may have some of the one before as well; of fewer filters the lanes beyond are 0.
struct DepthwiseLanes {
  int64_t filters, multiplier;
  int64_t first, vectors;
  int64_t plane;  // floats from one vector's places to the next one's

  static int64_t startOf(int64_t vector, int64_t filters) {
    const int64_t start = vector * DEPTHWISE_LANES, last = filters - DEPTHWISE_LANES;
    return start <= last || last < 0 ? start : last;
  }
};

/// Places of dy, and the places of x under each tap of the window; steps are floats.
struct DepthwiseTile {
  int64_t rows, columns;
  int64_t flowRow, flowColumn;    // of dy, from one place to the next
  int64_t rowStride, columnStride;  // of x, from one place of dy to the next
  int64_t height, width;            // of the window
  int64_t rowTap, columnTap;        // of x, from one tap to the next
};

struct DepthwiseLoops {
  /// to [vectors, places, 16] from so many places.
  void (*copy)(const DepthwiseLanes &lanes, const void *from, bool isBfloat16, int64_t places, float *to);
  /// Adds the products of sixteen filters to sums [height, width, 16].
  void (*products)(const DepthwiseTile &tile, const float *x, const float *dy, float *sums);
  /// Adds dy of sixteen filters to sums [16].
  void (*flow)(const DepthwiseTile &tile, const float *dy, float *sums);
};
const DepthwiseLoops &depthwiseLoops();

}  // namespace fovea
