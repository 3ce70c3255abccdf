// The loops that are compiled once for each instruction set (*.vector.cc), and the choice between them at run time.
#pragma once

#include <cstdint>

#include "instructions.hpp"

namespace fovea {

/// One step of an expression: value `target` becomes `function` of values a, b, c, element by element.
struct Instruction {
  Function function;
  int32_t target, a, b, c;
};

/// Philox's key and counter parts that one call of a sampling operation has in common (base/random.ts).
struct RandomKey {
  uint32_t seedLow, seedHigh, step, stream;
};

/// A convolution over pictures of few channels, or the gradient of its kernel; x is one picture in float32 with its border.
struct FewChannels {
  int64_t rows, columns;            // of the result
  int64_t filters, padded;          // padded to whole vectors of 16
  int64_t height, taps;             // of the kernel: rows, and columns times channels
  int64_t rowStride, columnStride;  // of x, from one place of the result to the next
  int64_t inputRow;                 // floats of a row of x
};

/// Columns of a matrix that are multiplied by a row at once.
constexpr int ROW_COLUMNS = 32;

struct VectorLoops {
  void (*interpret)(const Instruction *code, int64_t count, float *const *values, int64_t n);
  void (*floatsFromBfloat16)(const uint16_t *from, float *to, int64_t n);
  void (*floatsFromInt32)(const int32_t *from, float *to, int64_t n);
  void (*floatsFromUint8)(const uint8_t *from, float *to, int64_t n);
  void (*bfloat16FromFloats)(const float *from, uint16_t *to, int64_t n);
  /// The same of what relu makes of them, or a gate: x where 0 < gate, else x times 0.
  void (*bfloat16FromRelu)(const float *from, uint16_t *to, int64_t n);
  void (*bfloat16FromGated)(const float *from, const uint16_t *gate, uint16_t *to, int64_t n);
  /// y[i] = x[i] <= 0 ? 0 : x[i], in place too.
  void (*reluBfloat16)(const uint16_t *x, uint16_t *y, int64_t n);
  /// y[i] = x[i] * (0 < gate[i]), in place too.
  void (*gateBfloat16)(const uint16_t *x, const uint16_t *gate, uint16_t *y, int64_t n);
  void (*stream)(const float *from, float *to, int64_t n);
  /// sums[i] += x[i]
  void (*accumulate)(float *sums, const float *x, int64_t n);
  void (*accumulateDoubles)(double *sums, const float *x, int64_t n);
  void (*groupSums)(const float *x, int64_t groups, int64_t count, int64_t inner, float *sums);
  /// y[i] = bound <= x[i]
  void (*reach)(float bound, const float *x, uint8_t *y, int64_t n);
  /// The sum of x in sixteen lanes, these in a fixed order.
  float (*total)(const float *x, int64_t n);
  /// sums[row] += the sum of x [rows, width] along each row, in the order of `total`.
  void (*rowTotals)(const float *x, int64_t rows, int64_t width, float *sums);
  /// y [rows, width]: every row is one number, `step` behind that of the row before.
  void (*repeat)(const float *from, int64_t step, int64_t rows, int64_t width, float *y);
  /// y[i] = x[i] + ... + x[i + window - 1]; 16 floats may be read beyond the last.
  void (*windowSums)(const float *x, int64_t window, int64_t width, float *y);
  /// y [32] = x [k] weights [k, 32]
  void (*rowBlock)(const float *x, const float *weights, int64_t k, float *y);
  /// y[i] = from[map[i]], 0 where the map says -1.
  void (*gatherFloats)(const float *from, const int32_t *map, float *y, int64_t n);
  void (*gatherBfloat16)(const float *from, const int32_t *map, uint16_t *y, int64_t n);
  void (*softmaxRow)(const float *x, float *y, int64_t n, bool isLogarithm);
  /// y [rows, columns, filters] of x, which has its border, by the kernel [height, taps, filters]; filters are 16 or more.
  void (*fewChannels)(const FewChannels &g, const float *x, const float *kernel, const float *bias, float *y);
  /// Adds one picture's part to sums [height, taps, padded] and to biases [padded]; false where `taps` are not provided for.
  bool (*fewChannelsGradient)(const FewChannels &g, const float *x, const void *dy, bool isBfloat16, float *sums, float *biases);
  /// Is there such a loop for so many taps?
  bool (*hasFewChannels)(int64_t taps);
  /// Elements [first, first + n) of the stream, uniform on [0, 1) or standard normal.
  void (*uniform)(const RandomKey &key, uint64_t first, float *y, int64_t n);
  void (*normal)(const RandomKey &key, uint64_t first, float *y, int64_t n);
};

/// The widest that this processor has.
const VectorLoops &loops();
/// Its name: AVX-512, AVX2 or SSE2.
const char *loopsName();

}  // namespace fovea
