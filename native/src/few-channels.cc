#include "few-channels.hpp"

#include <algorithm>

#include "expression.hpp"
#include "pooling.hpp"
#include "vector.hpp"

namespace fovea {
namespace {

/// A convolution over pictures of few channels as its fields tell of it: images, channels, filters, input, output, window, strides,
/// before [height, width] each.
struct Plane {
  explicit Plane(const Fields &fields) {
    const std::string where = fields.where();
    images = fields.integer("images", 1, MOST);
    channels = fields.integer("channels", 1, 16);
    const int64_t filters = fields.integer("filters", 1, 1 << 20);
    fields.integers("input", 1, LONGEST, input);
    fields.integers("output", 1, LONGEST, output);
    fields.integers("before", 0, LONGEST, before);
    int64_t window[2];
    fields.integers("window", 1, LONGEST, window);
    fields.integers("strides", 1, LONGEST, strides);
    for (int axis = 0; axis < 2; axis++) {
      bordered[axis] = (output[axis] - 1) * strides[axis] + window[axis];
      if (before[axis] >= bordered[axis]) throw fields.wrong("before", "windows that reach the input");
    }
    rowFloats = bordered[1] * channels;
    product({bordered[0], rowFloats}, where);
    loop = {output[0],
            output[1],
            filters,
            (filters + 15) / 16 * 16,
            window[0],
            window[1] * channels,
            product({strides[0], rowFloats}, where),
            strides[1] * channels,
            rowFloats};
    inputs = product({images, input[0], input[1], channels}, where);
    results = product({images, output[0], output[1], filters}, where);
    product({loop.height, loop.taps, loop.padded}, where);
  }
  int64_t images, channels, input[2], output[2], before[2], strides[2];
  int64_t bordered[2], rowFloats;  // a picture with its border
  int64_t inputs, results;         // elements of all pictures
  FewChannels loop;

  int64_t picture() const { return input[0] * input[1] * channels; }
  /// Rows [first, first + count) of a bordered picture, the border of which is 0.
  template <typename Copy>
  void copyRows(int64_t first, int64_t count, float *to, Copy copy) const {
    const int64_t n = std::min(input[1] * channels, rowFloats - before[1] * channels);
    std::fill(to, to + count * rowFloats, 0.0f);
    for (int64_t row = 0; row < count; row++) {
      const int64_t from = first + row - before[0];
      if (from >= 0 && from < input[0]) copy(from * input[1] * channels, to + row * rowFloats + before[1] * channels, n);
    }
  }
};

/// In float32. fields: those of a plane, bias, tail?. Operands: x, kernel [window, channels, filters], bias?, y, what the tail reads.
class FewChannelsConvolution : public Operation {
 public:
  explicit FewChannelsConvolution(const Fields &fields) : Operation(fields.where()), plane_(fields) {
    implementation = "few channels";
    const FewChannels &loop = plane_.loop;
    if (loop.filters < 16) throw fields.wrong("filters", "sixteen or more");
    operandBytes = {plane_.inputs * 4, loop.height * loop.taps * loop.filters * 4};
    hasBias_ = fields.flag("bias");
    if (hasBias_) operandBytes.push_back(loop.filters * 4);
    result_ = operandBytes.size();
    operandBytes.push_back(plane_.results * 4);
    tail_ = std::make_unique<Tail>(fields, *this, plane_.results, Type::float32);
    const int64_t row = loop.columns * loop.filters, threads = omp_get_max_threads();
    if (row % tail_->unit() != 0) throw fields.wrong("tail", "an expression over rows of the result");
    // a band's results are in the second cache when the tail reads them; few pictures are cut for all threads
    band_ = std::clamp<int64_t>(std::min(BAND / row, (plane_.images * loop.rows + threads - 1) / threads), 1, loop.rows);
    bands_ = (loop.rows + band_ - 1) / band_;
    tailFloats_ = scratchFloats;
    scratchFloats += product({(band_ - 1) * plane_.strides[0] + loop.height, plane_.rowFloats}, where);
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    tail_->bind(operands, operands[result_]);
  }
  void run(const Team &team) override {
    const int64_t row = plane_.loop.columns * plane_.loop.filters;
    inPieces(team, plane_.images * bands_, 1, [&](int64_t piece, int64_t, int thread) {
      const int64_t image = piece / bands_, top = piece % bands_ * band_;
      FewChannels loop = plane_.loop;
      loop.rows = std::min(band_, loop.rows - top);
      float *x = team.scratch[thread] + tailFloats_;
      const float *picture = floats(0) + image * plane_.picture();
      plane_.copyRows(top * plane_.strides[0], (loop.rows - 1) * plane_.strides[0] + loop.height, x,
                      [&](int64_t from, float *to, int64_t n) { std::memcpy(to, picture + from, n * 4); });
      const int64_t first = image * plane_.loop.rows + top;
      loops().fewChannels(loop, x, floats(1), hasBias_ ? floats(2) : nullptr, floats(result_) + first * row);
      tail_->run(team.scratch[thread], first * row, (first + loop.rows) * row);
    });
  }

 private:
  static constexpr int64_t BAND = 1 << 15;  // floats of a result
  Plane plane_;
  bool hasBias_;
  int64_t band_, bands_, tailFloats_;
  size_t result_;
  std::unique_ptr<Tail> tail_;
  std::vector<char *> operands_;

  float *floats(size_t operand) const { return reinterpret_cast<float *>(operands_[operand]); }
};

/// fields: those of a plane, dtype, bias, pooled? (the windows of a maxPool behind the convolution, with gated?: then dy is what
/// reached that, its places precede it, and what that gives for the convolution is made a picture at a time). Operands: x, places?,
/// dy, dkernel [window, channels, filters], dbias?, parts. Only the number of images decides how they are cut into parts, which are added in order.
class FewChannelsGradient : public Operation {
 public:
  explicit FewChannelsGradient(const Fields &fields) : Operation(fields.where()), plane_(fields) {
    implementation = "few channels";
    const auto &[height, width] = plane_.output;
    const FewChannels &loop = plane_.loop;
    const Type type = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    isLow_ = type == Type::bfloat16;
    hasBias_ = fields.flag("bias");
    if (!loops().hasFewChannels(loop.taps)) throw fields.wrong("window", "one for which there is a loop");
    sums_ = product({loop.height, loop.taps, loop.padded}, where) + loop.padded;
    flow_ = height * width * loop.filters;
    operandBytes = {plane_.inputs * bytesOf(type)};
    if (fields.has("pooled")) {
      const Fields pooled = fields.object("pooled");
      pooled_ = std::make_unique<Windows>(windowsOf(pooled));
      isGated_ = pooled.flag("gated");
      const Windows &w = *pooled_;
      const bool fits =
          w.images == plane_.images && w.channels == loop.filters && w.input[0] == 1 && w.input[1] == height && w.input[2] == width;
      if (!fits || !hasFewPlaces(w)) throw fields.wrong("pooled", "windows over the result of the convolution");
      small_ = w.output[0] * w.output[1] * w.output[2] * loop.filters;
      operandBytes.insert(operandBytes.end(), {plane_.images * small_, plane_.images * small_ * bytesOf(type)});
    } else operandBytes.push_back(plane_.results * bytesOf(type));
    kernel_ = operandBytes.size();
    operandBytes.push_back(loop.height * loop.taps * loop.filters * 4);
    if (hasBias_) operandBytes.push_back(loop.filters * 4);
    operandBytes.push_back(product({parts(), sums_}, where) * 4);
    // a picture with its border; of a maxPool's gradient a picture in float32, and one as it is stored
    scratchFloats = border() + 16 + (pooled_ ? 2 * flow_ : 0);
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }
  void run(const Team &team) override {
    float *sums = reinterpret_cast<float *>(operands_.back());
    const int64_t bytes = isLow_ ? 2 : 4, band = bandOf(plane_.loop);
    inPieces(team, parts(), 1, [&](int64_t from, int64_t to, int thread) {
      FewChannels loop = plane_.loop;
      for (int64_t part = from; part < to; part++) {
        float *own = sums + part * sums_, *bordered = team.scratch[thread];
        std::fill(own, own + sums_, 0.0f);
        for (int64_t image = part * PICTURES; image < std::min(plane_.images, (part + 1) * PICTURES); image++) {
          copy(operands_[0] + image * plane_.picture() * bytes, bordered);
          const char *flow = flowOf(image, bytes, bordered + border() + 16);
          for (int64_t row = 0; row < plane_.loop.rows; row += band) {
            loop.rows = std::min(band, plane_.loop.rows - row);
            loops().fewChannelsGradient(loop, bordered + row * loop.rowStride, flow + row * loop.columns * loop.filters * bytes, isLow_,
                                        own, own + sums_ - loop.padded);
          }
        }
      }
    });
    for (int64_t part = 1; part < parts(); part++) loops().accumulate(sums, sums + part * sums_, sums_);
    const FewChannels &loop = plane_.loop;
    const int64_t rows = loop.height * loop.taps;
    float *kernel = reinterpret_cast<float *>(operands_[kernel_]);
    for (int64_t row = 0; row < rows; row++) std::memcpy(kernel + row * loop.filters, sums + row * loop.padded, loop.filters * 4);
    if (hasBias_) std::memcpy(operands_[kernel_ + 1], sums + rows * loop.padded, loop.filters * 4);
  }

 private:
  static constexpr int64_t PICTURES = 8;  // of a part
  Plane plane_;
  int64_t sums_;
  bool isLow_, hasBias_, isGated_ = false;
  int64_t flow_, small_ = 0;  // elements of a picture of dy, and of what reached the pooling
  std::unique_ptr<Windows> pooled_;
  size_t kernel_;  // operand
  std::vector<char *> operands_;

  /// Rows of a picture whose products are added to one another; then their sum is added to that of those before.
  static int64_t bandOf(const FewChannels &loop) {
    constexpr int64_t PLACES = 1024, MOST_PLACES = 4096;
    return loop.rows * loop.columns > MOST_PLACES ? std::max<int64_t>(1, PLACES / loop.columns) : loop.rows;
  }
  int64_t border() const { return plane_.bordered[0] * plane_.rowFloats; }
  int64_t parts() const { return (plane_.images + PICTURES - 1) / PICTURES; }
  /// What reached the convolution's result, of one picture.
  const char *flowOf(int64_t image, int64_t bytes, float *scratch) const {
    if (!pooled_) return operands_[1] + image * flow_ * bytes;
    const uint8_t *places = reinterpret_cast<uint8_t *>(operands_[1]) + image * small_;
    poolingLoops().scatter(*pooled_, places, isGated_, operands_[2] + image * small_ * bytes, scratch + flow_, isLow_, scratch, 0, 1);
    return reinterpret_cast<char *>(scratch + flow_);
  }
  void copy(const char *picture, float *to) const {
    plane_.copyRows(0, plane_.bordered[0], to, [&](int64_t from, float *row, int64_t n) {
      if (isLow_) loops().floatsFromBfloat16(reinterpret_cast<const uint16_t *>(picture) + from, row, n);
      else std::memcpy(row, reinterpret_cast<const float *>(picture) + from, n * 4);
    });
  }
};

}  // namespace

std::shared_ptr<Operation> makeFewChannels(const Fields &fields) { return std::make_shared<FewChannelsConvolution>(fields); }
std::shared_ptr<Operation> makeFewChannelsGradient(const Fields &fields) { return std::make_shared<FewChannelsGradient>(fields); }

}  // namespace fovea
