// The gradient of a depthwise convolution's kernel: dkernel[tap][f] = sum of x[place under the tap][f / multiplier] dy[place][f].
// Tiles of x are copied with their border into float32, sixteen filters at a time, so that every tap has a number at every
// place. oneDNN's loops for depthwise kernels (jit_dw) refuse pictures that are smaller than the window is wide; its other ones
// took 5 to 30 times as long.
#include "depthwise.hpp"

#include <algorithm>

#include "depthwise-loops.hpp"

namespace fovea {
namespace {

constexpr int64_t LANES = DEPTHWISE_LANES;
constexpr int64_t PLACES = 1024;          // of a tile: their products are added to one another in float32
constexpr int64_t TILE_FLOATS = 1 << 15;  // of x, in the second cache with what is read of dy
constexpr int64_t TILES_AT_ONCE = 256;    // whose sums are added in float32; beyond them in double
constexpr int64_t LEAST_ITEMS = 32;       // for many threads

/// fields: images, channels, filters, input, output, window, strides, dilation, before [depth, height, width] each, dtype, bias.
/// Operands: x, dy, dkernel [window, 1, filters], dbias?, parts. Only sizes decide how the places are cut into parts, which are
/// added in order.
class DepthwiseGradient : public Operation {
 public:
  explicit DepthwiseGradient(const Fields &fields) : Operation(fields.where()) {
    implementation = "depthwise";
    images_ = fields.integer("images", 1, MOST);
    channels_ = fields.integer("channels", 1, LONGEST), filters_ = fields.integer("filters", 1, LONGEST);
    if (filters_ % channels_ != 0) throw fields.wrong("filters", "a multiple of the channels");
    fields.integers("input", 1, LONGEST, input_);
    fields.integers("output", 1, LONGEST, output_);
    fields.integers("window", 1, LONGEST, window_);
    fields.integers("strides", 1, LONGEST, stride_);
    fields.integers("dilation", 1, LONGEST, dilation_);
    fields.integers("before", 0, LONGEST, before_);
    const Type type = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    isLow_ = type == Type::bfloat16;
    hasBias_ = fields.flag("bias");
    const int64_t bytes = bytesOf(type);
    picture_ = product({input_[0], input_[1], input_[2], channels_}, where);
    flow_ = product({output_[0], output_[1], output_[2], filters_}, where);
    taps_ = product({window_[0], window_[1], window_[2]}, where);
    operandBytes = {product({images_, picture_}, where) * bytes, product({images_, flow_}, where) * bytes,
                    product({taps_, filters_}, where) * 4};
    if (hasBias_) operandBytes.push_back(filters_ * 4);
    joinPlaces();
    cut();
    operandBytes.push_back(product({parts_, vectors_, sums_}, where) * 4);
    // a tile of x, one of dy where that is copied, and the sums of a group: of some tiles, and in double
    scratchFloats = group_ * (product({tileRows_, tileColumns_, LANES}, where) + (isCopied() ? band_[0] * band_[1] * LANES : 0)) +
                    product({group_, sums_, 3}, where);
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }

  void run(const Team &team) override {
    const int64_t groups = (vectors_ + group_ - 1) / group_;
    inPieces(team, parts_ * groups, 1,
             [&](int64_t item, int64_t, int thread) { compute(item / groups, item % groups * group_, team.scratch[thread]); });
    inPieces(team, vectors_, std::max<int64_t>(1, GRAIN / (sums_ * parts_)), [&](int64_t from, int64_t to, int) {
      for (int64_t vector = from; vector < to; vector++) end(vector);
    });
  }

 private:
  int64_t images_, channels_, filters_, input_[3], output_[3], window_[3], stride_[3], dilation_[3], before_[3];
  bool isLow_, hasBias_;
  int64_t picture_, flow_, taps_;  // elements of an image of x and of dy; places of the window
  int64_t band_[2], bands_[2];     // rows and columns of dy at a time
  int64_t tileRows_, tileColumns_;
  int64_t vectors_, group_;  // of sixteen filters, in all and at a time
  int64_t sums_;             // of a vector: [taps, 16], and [16] of the bias
  int64_t pieces_, parts_;
  std::vector<char *> operands_;

  bool isCopied() const { return isLow_ || filters_ < LANES; }

  /// Windows of one place each that do not leave any out: all places of all images are one row.
  void joinPlaces() {
    for (int axis = 0; axis < 3; axis++)
      if (window_[axis] != 1 || stride_[axis] != 1 || before_[axis] != 0 || input_[axis] != output_[axis]) return;
    input_[2] = output_[2] = product({images_, input_[0], input_[1], input_[2]}, where);
    images_ = input_[0] = input_[1] = output_[0] = output_[1] = 1;
  }

  int64_t extentOf(int axis, int64_t places) const { return (places - 1) * stride_[axis] + (window_[axis] - 1) * dilation_[axis] + 1; }
  void cut() {
    vectors_ = (filters_ + LANES - 1) / LANES;
    sums_ = product({taps_ + 1, LANES}, where);
    const auto most = [&](int axis, int64_t places, int64_t others) {
      const int64_t room = TILE_FLOATS / (DEPTHWISE_VECTORS * LANES * others), extent = extentOf(axis, 1);
      return std::clamp<int64_t>(std::min(places, (room - extent) / stride_[axis] + 1), 1, output_[axis]);
    };
    band_[1] = most(2, PLACES, extentOf(1, 1));
    tileColumns_ = extentOf(2, band_[1]);
    band_[0] = most(1, std::max<int64_t>(1, PLACES / band_[1]), tileColumns_);
    tileRows_ = extentOf(1, band_[0]);
    for (int i = 0; i < 2; i++) bands_[i] = (output_[1 + i] + band_[i] - 1) / band_[i];
    group_ = std::clamp<int64_t>(TILE_FLOATS / product({tileRows_, tileColumns_, LANES}, where), 1, std::min(DEPTHWISE_VECTORS, vectors_));
    pieces_ = product({images_, output_[0], bands_[0], bands_[1]}, where);
    const int64_t groups = (vectors_ + group_ - 1) / group_;
    parts_ = std::min(pieces_, (LEAST_ITEMS + groups - 1) / groups);
  }

  /// What one part of the places gives for some vectors of filters.
  void compute(int64_t part, int64_t first, float *scratch) const {
    const int64_t vectors = std::min(group_, vectors_ - first), n = vectors * sums_;
    double *totals = reinterpret_cast<double *>(scratch);
    float *sums = scratch + 2 * n, *tile = sums + n;
    std::fill(totals, totals + n, 0.0);
    const int64_t last = pieces_ * (part + 1) / parts_;
    for (int64_t from = pieces_ * part / parts_; from < last; from += TILES_AT_ONCE) {
      std::fill(sums, sums + n, 0.0f);
      for (int64_t piece = from; piece < std::min(last, from + TILES_AT_ONCE); piece++) add(piece, first, vectors, tile, sums);
      for (int64_t i = 0; i < n; i++) totals[i] += double(sums[i]);
    }
    float *to = reinterpret_cast<float *>(operands_.back()) + (part * vectors_ + first) * sums_;
    for (int64_t i = 0; i < n; i++) to[i] = float(totals[i]);
  }

  /// Adds a piece: a band of rows and columns of one plane of dy.
  void add(int64_t piece, int64_t first, int64_t vectors, float *tile, float *sums) const {
    const DepthwiseLoops &vector = depthwiseLoops();
    const int64_t left = piece % bands_[1] * band_[1], top = piece / bands_[1] % bands_[0] * band_[0];
    const int64_t plane = piece / (bands_[0] * bands_[1]) % output_[0], image = piece / (bands_[0] * bands_[1]) / output_[0];
    const int64_t rows = std::min(band_[0], output_[1] - top), columns = std::min(band_[1], output_[2] - left);
    const int64_t row = tileColumns_ * LANES, size = tileRows_ * row;
    DepthwiseTile t = {rows,
                       columns,
                       output_[2] * filters_,
                       filters_,
                       stride_[1] * row,
                       stride_[2] * LANES,
                       window_[1],
                       window_[2],
                       dilation_[1] * row,
                       dilation_[2] * LANES};
    const int64_t from = image * flow_ + ((plane * output_[1] + top) * output_[2] + left) * filters_;
    const float *dy = reinterpret_cast<const float *>(operands_[1]) + from;
    if (isCopied()) {
      float *copied = tile + vectors * size;
      const DepthwiseLanes lanes = {filters_, 1, first, vectors, rows * columns * LANES};
      for (int64_t i = 0; i < rows; i++)
        vector.copy(lanes, operands_[1] + (from + i * t.flowRow) * (isLow_ ? 2 : 4), isLow_, columns, copied + i * columns * LANES);
      dy = copied, t.flowRow = columns * LANES, t.flowColumn = LANES;
    }
    const auto flowOf = [&](int64_t v) { return dy + (isCopied() ? v * rows * columns * LANES : DepthwiseLanes::startOf(first + v, filters_)); };
    for (int64_t tap = 0; tap < window_[0]; tap++) {
      const int64_t depth = plane * stride_[0] + tap * dilation_[0] - before_[0];
      if (depth < 0 || depth >= input_[0]) continue;
      copyTile(image * input_[0] + depth, top, left, rows, columns, {filters_, filters_ / channels_, first, vectors, size}, tile);
      for (int64_t v = 0; v < vectors; v++)
        vector.products(t, tile + v * size, flowOf(v), sums + v * sums_ + tap * window_[1] * window_[2] * LANES);
    }
    if (!hasBias_) return;
    for (int64_t v = 0; v < vectors; v++) vector.flow(t, flowOf(v), sums + (v + 1) * sums_ - LANES);
  }

  /// What the windows of some rows and columns see of a plane of x, its border 0.
  void copyTile(int64_t plane, int64_t top, int64_t left, int64_t rows, int64_t columns, const DepthwiseLanes &lanes, float *to) const {
    const int64_t firstRow = top * stride_[1] - before_[1], firstColumn = left * stride_[2] - before_[2];
    const int64_t width = extentOf(2, columns), begin = std::clamp<int64_t>(-firstColumn, 0, width);
    const int64_t end = std::clamp<int64_t>(input_[2] - firstColumn, begin, width);
    for (int64_t i = 0; i < extentOf(1, rows); i++) {
      float *row = to + i * tileColumns_ * LANES;
      const int64_t from = firstRow + i;
      const bool isInside = from >= 0 && from < input_[1];
      for (int64_t v = 0; v < lanes.vectors; v++) {
        float *own = row + v * lanes.plane;
        if (!isInside) std::fill(own, own + width * LANES, 0.0f);
        else std::fill(own, own + begin * LANES, 0.0f), std::fill(own + end * LANES, own + width * LANES, 0.0f);
      }
      if (!isInside || begin == end) continue;
      const int64_t place = ((plane * input_[1] + from) * input_[2] + firstColumn + begin) * channels_;
      depthwiseLoops().copy(lanes, operands_[0] + place * (isLow_ ? 2 : 4), isLow_, end - begin, row + begin * LANES);
    }
  }

  /// The gradient of sixteen filters from what the parts have.
  void end(int64_t vector) const {
    const float *from = reinterpret_cast<const float *>(operands_.back()) + vector * sums_;
    const int64_t start = DepthwiseLanes::startOf(vector, filters_), n = std::min(LANES, filters_);
    float *kernel = reinterpret_cast<float *>(operands_[2]);
    for (int64_t tap = 0; tap < taps_ + (hasBias_ ? 1 : 0); tap++) {
      float *to = (tap < taps_ ? kernel + tap * filters_ : reinterpret_cast<float *>(operands_[3])) + start;
      double totals[LANES] = {};
      for (int64_t part = 0; part < parts_; part++)
        for (int64_t i = 0; i < n; i++) totals[i] += double(from[part * vectors_ * sums_ + tap * LANES + i]);
      for (int64_t i = 0; i < n; i++) to[i] = float(totals[i]);
    }
  }
};

}  // namespace

std::shared_ptr<Operation> makeDepthwiseGradient(const Fields &fields) { return std::make_shared<DepthwiseGradient>(fields); }

}  // namespace fovea
