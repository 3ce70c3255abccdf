// What the parts of a convolution by Winograd's way share; nothing here may bring code of the standard library along.
#pragma once

#include <cstdint>

namespace fovea {

/// What one block of a convolution by Winograd's way must know. A block is `rows` rows of tiles, of one picture or of several.
struct Winograd {
  int64_t images, channels, filters;  // channels of the source, filters of the result
  int64_t input[2], output[2], before[2];
  int64_t window;  // 3 or 5
  int64_t tile;    // results of a tile along an axis: 4 or 2, so that a tile reads 6 by 6 of the source
  int64_t tiles[2];
  int64_t rows;
  int64_t capacity;  // tiles that a block has room for

  static constexpr int64_t POINTS = 36;
  // planes begin at different lines of the first cache
  int64_t sourcePlane() const { return capacity * channels + 16; }
  int64_t resultPlane() const { return capacity * filters + 16; }
  int64_t kernelPlane() const { return channels * filters + 16; }
  /// Scratch of a thread: a pixel of zeros, and two rows of planes.
  int64_t zeros() const { return channels > filters ? channels : filters; }
  int64_t scratch() const { return zeros() + POINTS * (sourcePlane() + resultPlane()) + 16 * zeros(); }
  /// Sums of a gradient: rows and columns padded to sixteen.
  int64_t paddedFilters() const { return (filters + 15) / 16 * 16; }
  int64_t sumsPlane() const { return (channels + 15) / 16 * 16 * paddedFilters() + 16; }
};

/// Compiled once for each instruction set (winograd.vector.cc).
struct WinogradLoops {
  /// Source channels [from, to) of the kernel [window, window, channels, filters], or, turned, [window, window, filters, channels].
  void (*kernel)(const Winograd &w, const float *kernel, bool isTurned, float *points, int64_t from, int64_t to);
  /// Rows of tiles [from, to) of the result.
  void (*result)(const Winograd &w, const float *x, const float *points, const float *bias, float *y, float *scratch, int64_t from,
                 int64_t to);
  /// Adds what these rows give for the kernel to `sums` [points, channels, filters] and to `biases`, padded.
  void (*gradient)(const Winograd &w, const float *x, const float *dy, float *sums, float *biases, float *scratch, int64_t from,
                   int64_t to);
  /// Channels [from, to) of the kernel's gradient, from the sums of so many parts, `stride` floats from one to the next.
  void (*gradientEnd)(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *dkernel, int64_t from, int64_t to);
  void (*biasEnd)(const Winograd &w, const float *sums, int64_t parts, int64_t stride, float *bias);
};
const WinogradLoops &winogradLoops();

}  // namespace fovea
