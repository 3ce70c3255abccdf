// A convolution in bfloat16 by the processor's tiles. In a picture with its border, all that a row of the window covers lies side
// by side: window x channels numbers from the place on. So a tile of sixteen neighbouring places of the picture is sixteen rows
// of 32 such numbers as they stand, and each row of the window takes as many steps as there are 32s in window x channels. Of the
// sums, which are float32, a block at a time goes through the tail while the first caches have it; only what that makes is stored.
#include <algorithm>
#include <cstring>

#include "expression.hpp"
#include "onednn.hpp"
#include "tiles.hpp"

namespace fovea {

#if defined(__x86_64__)
namespace {

#include "math.inl"

constexpr int64_t BLOCK_FLOATS = 8192;   // of sums that go through the tail at a time
constexpr int64_t BAND_BYTES = 200'000;  // of a picture with its border

/// What the convolution and its kernel have in common: fields channels, filters, window [height, width].
struct TiledWindow {
  int64_t channels, filters, window[2];
  int64_t steps, blocks;  // of 32 numbers a row of the window; of 16 filters

  TiledWindow(const Fields &fields) {
    channels = fields.integer("channels", 1, 1 << 20), filters = fields.integer("filters", 1, 1 << 20);
    fields.integers("window", 1, 1 << 16, window);
    steps = roundUp(product({window[1], channels}, fields.where()), STEP) / STEP;
    blocks = roundUp(filters, SIDE) / SIDE;
  }
  int64_t packedBytes(const std::string &where) const { return product({window[0], steps, blocks, SIDE * SIDE, 2, 2}, where); }
};

/// The kernel as tiles: [rows of the window, steps, blocks of filters, 16 pairs of numbers, 16 filters, 2]. fields: those of the
/// window, dtype, once?, turned? (it is [window, filters, channels] and turned round). Operands: kernel, tiles.
class TiledKernel : public Operation {
 public:
  explicit TiledKernel(const Fields &fields) : Operation(fields.where()), w_(fields) {
    isLow_ = typeOf(fields, "dtype", {Type::float32, Type::bfloat16}) == Type::bfloat16;
    isTurned_ = fields.flag("turned");
    isOnce = fields.flag("once");
    const int64_t elements = product({w_.window[0], w_.window[1], w_.channels, w_.filters}, where);
    operandBytes = {elements * (isLow_ ? 2 : 4), w_.packedBytes(where)};
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }
  void run(const Team &team) override {
    const int64_t rows = w_.window[0] * w_.steps * SIDE;
    inPieces(team, rows, std::max<int64_t>(1, GRAIN / (8 * w_.filters)), [&](int64_t from, int64_t to, int) {
      for (int64_t row = from; row < to; row++) pack(row / SIDE / w_.steps, row / SIDE % w_.steps, row % SIDE);
    });
  }

 private:
  TiledWindow w_;
  bool isLow_, isTurned_;
  std::vector<char *> operands_;

  /// A pair of numbers of all filters.
  void pack(int64_t top, int64_t step, int64_t pair) const {
    uint16_t *to = reinterpret_cast<uint16_t *>(operands_[1]) + ((top * w_.steps + step) * w_.blocks * SIDE + pair) * STEP;
    for (int64_t block = 0; block < w_.blocks; block++) {
      uint16_t numbers[2][SIDE] = {};
      for (int64_t half = 0; half < 2; half++) read(top, step * STEP + pair * 2 + half, block * SIDE, numbers[half]);
      for (int64_t k = 0; k < SIDE; k++)
        for (int64_t half = 0; half < 2; half++) to[block * SIDE * STEP + k * 2 + half] = numbers[half][k];
    }
  }
  /// The numbers of sixteen filters at a place of a row of the window, channels counted too.
  void read(int64_t top, int64_t at, int64_t filter, uint16_t *to) const {
    const int64_t left = at / w_.channels, c = at % w_.channels, n = std::min<int64_t>(SIDE, w_.filters - filter);
    if (left >= w_.window[1]) return;
    const int64_t tap = isTurned_ ? (w_.window[0] - 1 - top) * w_.window[1] + w_.window[1] - 1 - left : top * w_.window[1] + left;
    const int64_t first = isTurned_ ? (tap * w_.filters + filter) * w_.channels + c : (tap * w_.channels + c) * w_.filters + filter;
    const int64_t stride = isTurned_ ? w_.channels : 1;
    if (isLow_) {
      const uint16_t *from = reinterpret_cast<const uint16_t *>(operands_[0]) + first;
      for (int64_t k = 0; k < n; k++) to[k] = from[k * stride];
      return;
    }
    const float *from = reinterpret_cast<const float *>(operands_[0]) + first;
    float numbers[SIDE];
    for (int64_t k = 0; k < n; k++) numbers[k] = from[k * stride];
    loops().bfloat16FromFloats(numbers, to, n);
  }
};

/// fields: those of the window, images, input, output, before, apart [height, width] each, result dtype, bias, tail?. Places of x
/// lie `apart` places from each other, with zeros between, as the gradient of a convolution with strides has them. Operands: x, the
/// kernel as tiles, bias?, y, what the tail reads.
class TiledConvolution : public Operation {
 public:
  explicit TiledConvolution(const Fields &fields) : Operation(fields.where()), w_(fields) {
    implementation = "tiles: amx_bf16";
    if (!hasTiles()) throw fields.wrong("kind", "an operation of this processor");
    images_ = fields.integer("images", 1, MOST);
    fields.integers("input", 1, LONGEST, input_);
    fields.integers("output", 1, LONGEST, output_);
    fields.integers("before", 0, LONGEST, before_);
    fields.integers("apart", 1, LONGEST, apart_);
    for (int axis = 0; axis < 2; axis++) {
      const int64_t reached = output_[axis] + w_.window[axis] - 1;
      if ((input_[axis] - 1) * apart_[axis] + 1 + before_[axis] > reached)
        throw fields.wrong("output", "windows that reach all of the input");
    }
    const Type result = typeOf(fields, "result", {Type::float32, Type::bfloat16});
    resultBytes_ = bytesOf(result);
    hasBias_ = fields.flag("bias");
    width_ = output_[1] + w_.window[1] - 1;
    // sixteen places at a time along each row, or, where that leaves fewer over, along all rows with their borders
    isFlat_ = roundUp(output_[0] * width_, SIDE) < output_[0] * roundUp(output_[1], SIDE);
    pitch_ = isFlat_ ? width_ : roundUp(output_[1], SIDE);
    const int64_t rowBytes = product({width_, w_.channels, 2}, where);
    band_ = std::clamp<int64_t>(BAND_BYTES / rowBytes - w_.window[0], 1, output_[0]);
    bands_ = (output_[0] + band_ - 1) / band_;
    block_ = std::clamp<int64_t>(BLOCK_FLOATS / product({pitch_, w_.filters}, where), 1, band_);
    // rows that a tile reads beyond the last place, and numbers beyond its window
    picture_ = product({band_ + w_.window[0], width_, w_.channels}, where) + (2 * SIDE) * w_.channels + STEP;
    sums_ = (block_ * pitch_ + 2 * SIDE) * w_.filters + 2 * SIDE * SIDE;
    const int64_t y = product({images_, output_[0], output_[1], w_.filters}, where);
    operandBytes = {product({images_, input_[0], input_[1], w_.channels}, where) * 2, w_.packedBytes(where)};
    if (hasBias_) operandBytes.push_back(w_.filters * 4);
    result_ = operandBytes.size();
    operandBytes.push_back(y * resultBytes_);
    tail_ = std::make_unique<Tail>(fields, *this, y, Type::float32, result);
    if (output_[1] * w_.filters % tail_->unit() != 0) throw fields.wrong("tail", "an expression over rows of the result");
    tailFloats_ = roundUp(scratchFloats, SIDE);
    scratchFloats = tailFloats_ + sums_ + w_.blocks * SIDE * SIDE + picture_ / 2 + SIDE;
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    tail_->bind(operands, operands[result_]);
  }
  void run(const Team &team) override {
    const int64_t pieces = images_ * bands_, parts = std::min<int64_t>(pieces, team.threads);
    inPieces(team, parts, 1,
             [&](int64_t part, int64_t, int thread) { compute(pieces * part / parts, pieces * (part + 1) / parts, team.scratch[thread]); });
  }

 private:
  TiledWindow w_;
  int64_t images_, input_[2], output_[2], before_[2], apart_[2], resultBytes_;
  int64_t width_, pitch_;                // of a row with its border; of a row of sums
  int64_t band_, bands_, block_;         // rows of the result of a picture that is copied, and of sums
  int64_t picture_, sums_, tailFloats_;  // numbers of scratch
  size_t result_;
  bool isFlat_, hasBias_;
  std::unique_ptr<Tail> tail_;
  std::vector<char *> operands_;

  TILES void compute(int64_t from, int64_t to, float *scratch) const {
    float *sums = scratch + tailFloats_, *biases = sums + sums_;
    uint16_t *picture = reinterpret_cast<uint16_t *>(biases + w_.blocks * SIDE * SIDE);
    std::memset(picture, 0, size_t(picture_) * 2);
    for (int64_t block = 0; block < w_.blocks; block++)
      for (int64_t i = 0; i < SIDE * SIDE; i++) {
        const int64_t k = block * SIDE + i % SIDE;
        biases[block * SIDE * SIDE + i] = hasBias_ && k < w_.filters ? reinterpret_cast<const float *>(operands_[2])[k] : 0.0f;
      }
    const TileConfiguration configuration;
    for (int64_t piece = from; piece < to; piece++) {
      const int64_t first = piece % bands_ * band_, rows = std::min(band_, output_[0] - first);
      copyBand(piece / bands_, first, rows, picture);
      for (int64_t row = 0; row < rows; row += block_) {
        const int64_t some = std::min(block_, rows - row);
        _tile_loadconfig(&configuration);
        multiplyRows(picture + row * width_ * w_.channels, some, sums, biases);
        _tile_release();
        finish(sums, some, ((piece / bands_ * output_[0]) + first + row) * output_[1] * w_.filters, scratch);
      }
    }
  }

  /// Rows of a picture with their border of zeros.
  void copyBand(int64_t image, int64_t first, int64_t rows, uint16_t *to) const {
    const uint16_t *from = reinterpret_cast<const uint16_t *>(operands_[0]) + image * input_[0] * input_[1] * w_.channels;
    const int64_t C = w_.channels, across = apart_[1], reach = ((input_[1] - 1) * across + 1) * C;
    for (int64_t i = 0; i < rows + w_.window[0] - 1; i++) {
      const int64_t y = first + i - before_[0];
      uint16_t *target = to + (i * width_ + before_[1]) * C;
      if (y < 0 || y % apart_[0] != 0 || y / apart_[0] >= input_[0]) {
        if (bands_ > 1) std::memset(target, 0, size_t(reach) * 2);  // else it was never written
        continue;
      }
      const uint16_t *source = from + y / apart_[0] * input_[1] * C;
      if (across == 1) std::memcpy(target, source, size_t(reach) * 2);
      else
        for (int64_t x = 0; x < input_[1]; x++) std::memcpy(target + x * across * C, source + x * C, size_t(C) * 2);
    }
  }

  /// Sums of rows, [rows, pitch, filters]: two tiles of places by two of filters at a time. A tile of sums is wider than the last
  /// filters: what it writes into the next place is written over, since blocks come in falling order and places in rising.
  TILES void multiplyRows(const uint16_t *x, int64_t rows, float *sums, const float *biases) const {
    const int64_t C = w_.channels, K = w_.filters;
    const int64_t perRow = isFlat_ ? roundUp(rows * pitch_, SIDE) / SIDE : pitch_ / SIDE, tiles = isFlat_ ? perRow : rows * perRow;
    const auto begin = [&](int64_t tile) { return x + (tile / perRow * width_ + tile % perRow * SIDE) * C; };
    const int64_t rowBytes = C * 2, sumBytes = K * 4, lineNumbers = width_ * C, stepNumbers = w_.blocks * SIDE * STEP;
    for (int64_t tile = 0; tile < tiles; tile += 2) {
      const bool isPair = tile + 1 < tiles;
      const uint16_t *first = begin(tile), *second = isPair ? begin(tile + 1) : first;
      float *own = sums + tile * SIDE * K, *other = own + SIDE * K;
      for (int64_t last = w_.blocks; last > 0;) {
        const bool isWide = last >= 2;
        const int64_t block = last - (isWide ? 2 : 1);
        const float *bias = biases + block * SIDE * SIDE;
        const uint16_t *kernel = reinterpret_cast<const uint16_t *>(operands_[1]) + block * SIDE * STEP;
        _tile_loadd(0, bias, 64);
        _tile_loadd(1, bias, 64);
        if (isWide) {
          _tile_loadd(2, bias + SIDE * SIDE, 64);
          _tile_loadd(3, bias + SIDE * SIDE, 64);
          for (int64_t top = 0; top < w_.window[0]; top++) {
            const uint16_t *a = first + top * lineNumbers, *b = second + top * lineNumbers;
            for (int64_t step = 0; step < w_.steps; step++, a += STEP, b += STEP, kernel += stepNumbers) {
              _tile_loadd(4, a, rowBytes);
              _tile_loadd(6, kernel, 64);
              _tile_dpbf16ps(0, 4, 6);
              _tile_loadd(5, b, rowBytes);
              _tile_dpbf16ps(1, 5, 6);
              _tile_loadd(7, kernel + SIDE * STEP, 64);
              _tile_dpbf16ps(2, 4, 7);
              _tile_dpbf16ps(3, 5, 7);
            }
          }
          _tile_stored(2, own + (block + 1) * SIDE, sumBytes);
          if (isPair) _tile_stored(3, other + (block + 1) * SIDE, sumBytes);
        } else {
          for (int64_t top = 0; top < w_.window[0]; top++) {
            const uint16_t *a = first + top * lineNumbers, *b = second + top * lineNumbers;
            for (int64_t step = 0; step < w_.steps; step++, a += STEP, b += STEP, kernel += stepNumbers) {
              _tile_loadd(4, a, rowBytes);
              _tile_loadd(6, kernel, 64);
              _tile_dpbf16ps(0, 4, 6);
              _tile_loadd(5, b, rowBytes);
              _tile_dpbf16ps(1, 5, 6);
            }
          }
        }
        _tile_stored(0, own + block * SIDE, sumBytes);
        if (isPair) _tile_stored(1, other + block * SIDE, sumBytes);
        last = block;
      }
    }
  }

  /// Rows of sums, freed of their borders, become the result from element `at` on.
  void finish(float *sums, int64_t rows, int64_t at, float *scratch) const {
    const int64_t row = output_[1] * w_.filters, count = rows * row;
    if (pitch_ != output_[1])
      for (int64_t i = 1; i < rows; i++) std::memmove(sums + i * row, sums + i * pitch_ * w_.filters, size_t(row) * 4);
    char *target = operands_[result_] + at * resultBytes_;
    if (*tail_) tail_->runFrom(reinterpret_cast<char *>(sums), scratch, at, at + count);
    else if (resultBytes_ == 2) loops().bfloat16FromFloats(sums, reinterpret_cast<uint16_t *>(target), count);
    else std::memcpy(target, sums, size_t(count) * 4);
  }
};

}  // namespace

bool hasTiles() { return onednnIsa().find("AMX") != std::string::npos && std::strcmp(loopsName(), "AVX-512") == 0; }
std::shared_ptr<Operation> makeTiledConvolution(const Fields &fields) { return std::make_shared<TiledConvolution>(fields); }
std::shared_ptr<Operation> makeTiledKernel(const Fields &fields) { return std::make_shared<TiledKernel>(fields); }
#else
bool hasTiles() { return false; }
std::shared_ptr<Operation> makeTiledConvolution(const Fields &fields) { throw fields.wrong("kind", "an operation of this processor"); }
std::shared_ptr<Operation> makeTiledKernel(const Fields &fields) { throw fields.wrong("kind", "an operation of this processor"); }
#endif

}  // namespace fovea
