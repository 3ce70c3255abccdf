// The gradient of a depthwise convolution's kernel: dkernel[tap][f] = sum of x[place under the tap][f / multiplier] dy[place][f].
// Places of dy whose windows have the same taps within x go together, several pictures at once where these are small.
#include "depthwise.hpp"

#include <algorithm>

#include "depthwise-loops.hpp"

namespace fovea {
namespace {

constexpr int64_t LANES = DEPTHWISE_LANES;
constexpr int64_t PIECE_FLOATS = 1 << 15;  // of x and dy, which stay in the second cache while all taps use them
constexpr int64_t PLACES = 1024;           // of a piece, whose products are added to one another in float32
constexpr int64_t PIECES = 64;             // whose sums are added to one another in float32; beyond them in double
constexpr int64_t LEAST_ITEMS = 32;        // for many threads

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
    bytes_ = bytesOf(type);
    hasBias_ = fields.flag("bias");
    const int64_t x = product({images_, input_[0], input_[1], input_[2], channels_}, where);
    const int64_t dy = product({images_, output_[0], output_[1], output_[2], filters_}, where);
    taps_ = product({window_[0], window_[1], window_[2]}, where);
    operandBytes = {x * bytes_, dy * bytes_, product({taps_, filters_}, where) * 4};
    if (hasBias_) operandBytes.push_back(filters_ * 4);
    joinAxes();
    cut();
    listSegments();
    operandBytes.push_back(product({parts_, vectors_, sums_}, where) * 4);
    isCopied_ = type == Type::bfloat16 || filters_ < LANES || channels_ != filters_;
    scratchFloats = product({group_, sums_, 3}, where);  // of a group the sums, and these in double
    if (isCopied_) scratchFloats += product({places_[0] + places_[1], group_, LANES}, where);
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }

  void run(const Team &team) override {
    const int64_t groups = (vectors_ + group_ - 1) / group_;
    inPieces(team, parts_ * groups, 1,
             [&](int64_t item, int64_t, int thread) { compute(item / groups, item % groups, team.scratch[thread]); });
    inPieces(team, vectors_, std::max<int64_t>(1, GRAIN / (sums_ * parts_)), [&](int64_t from, int64_t to, int) {
      for (int64_t vector = from; vector < to; vector++) end(vector);
    });
  }

 private:
  int64_t images_, channels_, filters_, input_[3], output_[3], window_[3], stride_[3], dilation_[3], before_[3];
  int64_t bytes_, taps_;
  bool hasBias_;
  bool isCopied_;                  // into float32, in vectors of sixteen
  int64_t vectors_, group_;        // of sixteen filters, in all and at a time
  int64_t sums_;                   // of a vector: [taps, 16], and [16] of the bias
  int64_t atOnce_, band_, bands_;  // images, or rows of one plane of dy, that are a piece
  int64_t places_[2];              // of x and of dy, of a piece at the most
  int64_t pieces_, parts_;
  /// Columns [from, to) of dy whose windows have taps [first, last) of a row within x.
  struct Segment {
    int64_t from, to, first, last;
  };
  std::vector<Segment> segments_;
  std::vector<char *> operands_;

  /// Images of one place and windows of one that leave none out are places of one image; a single row becomes a column, which is cut.
  void joinAxes() {
    const auto isPlain = [&](int axis) {
      return window_[axis] == 1 && stride_[axis] == 1 && before_[axis] == 0 && input_[axis] == output_[axis];
    };
    if (isPlain(0) && isPlain(1) && isPlain(2)) {
      input_[1] = output_[1] = images_ * input_[0] * input_[1] * input_[2];
      images_ = input_[0] = output_[0] = input_[2] = output_[2] = 1;
    } else if (isPlain(1) && input_[1] == 1) {
      for (auto sizes : {input_, output_, window_, stride_, dilation_, before_}) std::swap(sizes[1], sizes[2]);
    }
  }

  struct Range {
    int64_t from, to;
  };
  /// Of [from, to) those places of dy for which a tap is within x.
  Range reach(int axis, int64_t tap, int64_t from, int64_t to) const {
    const int64_t shift = tap * dilation_[axis] - before_[axis], stride = stride_[axis];
    const int64_t first = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    const int64_t last = input_[axis] <= shift ? 0 : (input_[axis] - 1 - shift) / stride + 1;
    from = std::max(from, first);
    return {from, std::max(from, std::min(to, last))};
  }
  /// The rows of x that rows [from, to) of dy see.
  Range rowsUnder(int64_t from, int64_t to) const {
    const int64_t first = from * stride_[1] - before_[1], last = (to - 1) * stride_[1] + (window_[1] - 1) * dilation_[1] - before_[1] + 1;
    const int64_t top = std::clamp<int64_t>(first, 0, input_[1]);
    return {top, std::clamp(last, top, input_[1])};
  }

  void cut() {
    vectors_ = (filters_ + LANES - 1) / LANES;
    const int64_t groups = (vectors_ + DEPTHWISE_VECTORS - 1) / DEPTHWISE_VECTORS;
    group_ = (vectors_ + groups - 1) / groups;
    sums_ = product({taps_ + 1, LANES}, where);
    const int64_t room = PIECE_FLOATS / (group_ * LANES), plane = output_[1] * output_[2], area = input_[1] * input_[2];
    const bool isFlat = input_[0] == 1 && output_[0] == 1 && window_[0] == 1;
    atOnce_ = isFlat ? std::clamp<int64_t>(std::min(room / (plane + area), PLACES / plane), 1, images_) : 1;
    const int64_t row = input_[2] * stride_[1] + output_[2];  // so many places a row of dy brings along
    const int64_t most = std::min((room - input_[2] * std::min(input_[1], (window_[1] - 1) * dilation_[1])) / row, PLACES / output_[2]);
    band_ = atOnce_ > 1 ? output_[1] : std::clamp<int64_t>(most, 1, output_[1]);
    bands_ = (output_[1] + band_ - 1) / band_;
    int64_t rows = 0;
    for (int64_t band = 0; band < bands_; band++) {
      const Range under = rowsUnder(band * band_, std::min((band + 1) * band_, output_[1]));
      rows = std::max(rows, under.to - under.from);
    }
    places_[0] = product({atOnce_, rows, input_[2]}, where), places_[1] = product({atOnce_, band_, output_[2]}, where);
    pieces_ = product({(images_ + atOnce_ - 1) / atOnce_, output_[0], bands_}, where);
    parts_ = std::min(pieces_, (LEAST_ITEMS + groups - 1) / groups);
  }

  void listSegments() {
    const auto tapsOf = [&](int64_t column) {
      Segment one = {column, column + 1, window_[2], 0};
      for (int64_t tap = 0; tap < window_[2]; tap++) {
        const int64_t at = column * stride_[2] + tap * dilation_[2] - before_[2];
        if (at >= 0 && at < input_[2]) one.first = std::min(one.first, tap), one.last = tap + 1;
      }
      return one;
    };
    for (int64_t column = 0; column < output_[2]; column++) {
      const Segment one = tapsOf(column);
      if (!segments_.empty() && segments_.back().first == one.first && segments_.back().last == one.last) segments_.back().to++;
      else segments_.push_back(one);
    }
  }

  int64_t startOf(int64_t vector) const { return std::max<int64_t>(0, std::min(vector * LANES, filters_ - LANES)); }

  /// What one part of the places gives for a group of vectors.
  void compute(int64_t part, int64_t group, float *scratch) const {
    const int64_t first = group * group_, vectors = std::min(group_, vectors_ - first), n = vectors * sums_;
    double *totals = reinterpret_cast<double *>(scratch);
    float *sums = scratch + 2 * n, *copies = sums + n;
    std::fill(totals, totals + n, 0.0);
    const int64_t last = pieces_ * (part + 1) / parts_;
    for (int64_t from = pieces_ * part / parts_; from < last; from += PIECES) {
      std::fill(sums, sums + n, 0.0f);
      for (int64_t piece = from; piece < std::min(last, from + PIECES); piece++) add(piece, first, vectors, copies, sums);
      for (int64_t i = 0; i < n; i++) totals[i] += double(sums[i]);
    }
    float *to = reinterpret_cast<float *>(operands_.back()) + (part * vectors_ + first) * sums_;
    for (int64_t i = 0; i < n; i++) to[i] = float(totals[i]);
  }

  /// Adds what a piece gives: a band of rows in one plane of dy, or several images.
  void add(int64_t piece, int64_t first, int64_t vectors, float *copies, float *sums) const {
    const DepthwiseLoops &loops = depthwiseLoops();
    const int64_t top = piece % bands_ * band_, rows = std::min(band_, output_[1] - top), plane = piece / bands_ % output_[0];
    const int64_t image = piece / bands_ / output_[0] * atOnce_, images = std::min(atOnce_, images_ - image);
    const Range under = atOnce_ > 1 ? Range{0, input_[1]} : rowsUnder(top, top + rows);
    const int64_t step = isCopied_ ? vectors * LANES : channels_;  // from one place to the next
    DepthwiseRun run = {};
    run.vectors = vectors, run.sums = sums_;
    for (int64_t v = 0; v < vectors; v++) run.starts[v] = isCopied_ ? v * LANES : startOf(first + v);

    const int64_t flowAt = ((image * output_[0] + plane) * output_[1] + top) * output_[2];
    const float *dy = placesOf(operands_[1], flowAt, filters_, images * rows * output_[2], first, vectors, copies);
    const auto addRun = [&](const Range &under, const Range &columns) {
      const int64_t counts[3] = {under.to - under.from, images, columns.to - columns.from};
      const int64_t flow[3] = {output_[2] * step, rows * output_[2] * step, step};
      const int64_t source[3] = {stride_[1] * input_[2] * step, input_[1] * input_[2] * step, stride_[2] * step};
      const int most = int(std::max_element(counts, counts + 3) - counts);
      for (int i = 0; i < 3; i++) {
        const int axis = i == 2 ? most : i == most ? 2 : i;
        run.counts[i] = counts[axis], run.dy[i] = flow[axis], run.x[i] = source[axis];
      }
    };
    if (hasBias_) {
      addRun({0, rows}, {0, output_[2]});
      loops.flow(run, dy, sums + taps_ * LANES);
    }
    for (int64_t tap = 0; tap < window_[0]; tap++) {
      const int64_t depth = plane * stride_[0] + tap * dilation_[0] - before_[0];
      if (depth < 0 || depth >= input_[0] || under.from == under.to) continue;
      const int64_t at = ((image * input_[0] + depth) * input_[1] + under.from) * input_[2];
      const float *x =
          placesOf(operands_[0], at, channels_, images * (under.to - under.from) * input_[2], first, vectors, copies + places_[1] * step);
      for (int64_t i = 0; i < window_[1]; i++) {
        const Range reached = reach(1, i, top, top + rows);
        if (reached.from == reached.to) continue;
        const int64_t row = reached.from * stride_[1] + i * dilation_[1] - before_[1] - under.from;
        for (const Segment &segment : segments_) {
          addRun(reached, {segment.from, segment.to});
          for (int64_t j = segment.first; j < segment.last; j += DEPTHWISE_TAPS) {
            const int64_t column = segment.from * stride_[2] + j * dilation_[2] - before_[2];
            run.taps = std::min(DEPTHWISE_TAPS, segment.last - j), run.tap = dilation_[2] * step;
            loops.products(run, x + (row * input_[2] + column) * step, dy + ((reached.from - top) * output_[2] + segment.from) * step,
                           sums + ((tap * window_[1] + i) * window_[2] + j) * LANES);
          }
        }
      }
    }
  }

  /// So many places from one on, where they are or as they were copied.
  const float *placesOf(const char *operand, int64_t at, int64_t channels, int64_t places, int64_t first, int64_t vectors,
                        float *copies) const {
    if (!isCopied_) return reinterpret_cast<const float *>(operand) + at * channels;
    DepthwiseCopy copy = {channels, filters_ / channels, filters_, vectors, {}};
    for (int64_t v = 0; v < vectors; v++) copy.starts[v] = startOf(first + v);
    depthwiseLoops().copy(copy, operand + at * channels * bytes_, bytes_ == 2, places, copies);
    return copies;
  }

  /// The gradient of sixteen filters from what the parts have.
  void end(int64_t vector) const {
    const float *from = reinterpret_cast<const float *>(operands_.back()) + vector * sums_;
    const int64_t start = startOf(vector), n = std::min(LANES, filters_);
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
