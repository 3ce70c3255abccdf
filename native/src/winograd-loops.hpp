// What the parts of a convolution by Winograd's way share; nothing here may bring code of the standard library along.
#pragma once

#include <cstdint>

namespace fovea {

/// What one block of a convolution by Winograd's way must know. A block is `rows` rows of tiles, of one picture or of several.
struct Winograd {
  int64_t images, channels, filters;  // channels of the source, filters of the result
  int64_t input[2], output[2], before[2];
  int64_t window;  // 3 or 5
  int64_t points;  // along an axis: 6, or 3 for pictures of 2 by 2
  int64_t tile;    // results of a tile along an axis: 4 or 2
  int64_t tiles[2];
  /// All threads compute a block together: the kernel at the points is too large to be read by each of them for its own.
  bool isShared;
  int64_t rows;
  int64_t capacity;  // tiles that a block has room for

  int64_t planes() const { return points * points; }
  // Planes begin at different lines of the first cache. So do rows of many channels: at a distance of 2,048 bytes only two would
  // be there at once.
  int64_t sourceRow() const { return channels + (isShared ? 16 : 0); }
  int64_t resultRow() const { return filters + (isShared ? 16 : 0); }
  int64_t sourcePlane() const { return capacity * sourceRow() + 16; }
  int64_t resultPlane() const { return capacity * resultRow() + 16; }
  int64_t kernelPlane() const { return channels * paddedFilters() + 16; }
  /// Memory of a block: a pixel of zeros, and the planes of the source and of the result.
  int64_t zeros() const { return channels > filters ? channels : filters; }
  int64_t scratch() const { return zeros() + planes() * (sourcePlane() + resultPlane()) + 16 * zeros(); }
  int64_t paddedFilters() const { return (filters + 15) / 16 * 16; }
  /// Sums of a gradient: rows and columns padded, the rows also to the 6 of a large product.
  int64_t sumsPlane() const { return (channels + (isShared ? 20 : 15)) / 16 * 16 * paddedFilters() + 16; }
};

/// Compiled once for each instruction set (winograd.vector.cc). Rows are of tiles; planes hold those from row `first` on.
struct WinogradLoops {
  /// Channels [from, to) at the points, of the kernel [window, window, channels, filters], or, turned, [window, window, filters,
  /// channels]. The values at a point lie in panels: [panels, channels, filters of a panel].
  void (*kernel)(const Winograd &w, const float *kernel, bool isTurned, float *points, int64_t from, int64_t to);
  /// The source's rows [from, to) at the points: [points, tiles, channels].
  void (*source)(const Winograd &w, const float *x, const float *zeros, float *points, int64_t from, int64_t to, int64_t first);
  /// How many products [tiles, channels] by [channels, filters of a panel] all points have.
  int64_t (*pieces)(const Winograd &w);
  /// Those in [from, to): [points, tiles, filters].
  void (*products)(const Winograd &w, const float *source, const float *kernel, float *products, int64_t tiles, int64_t from, int64_t to);
  /// The result's rows [from, to), from its values at the points.
  void (*result)(const Winograd &w, const float *products, const float *bias, float *y, int64_t from, int64_t to, int64_t first);
  /// What reached these rows, at the points: [points, tiles, filters]. Their sums are added to `biases`, padded.
  void (*flow)(const Winograd &w, const float *dy, const float *zeros, float *points, float *biases, int64_t from, int64_t to,
               int64_t first);
  /// Pieces [from, to) of what a block gives for the kernel, which become `sums` [points, channels, filters], or are added to them.
  void (*sums)(const Winograd &w, const float *source, const float *flow, float *sums, int64_t tiles, bool isFirst, int64_t from,
               int64_t to);
  /// Channels [from, to) of the kernel's gradient, from the sums of so many parts, `stride` floats from one to the next.
  void (*gradientEnd)(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *dkernel, int64_t from, int64_t to);
  void (*biasEnd)(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *bias);
};
const WinogradLoops &winogradLoops();

}  // namespace fovea
