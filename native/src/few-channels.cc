#include "few-channels.hpp"

#include <algorithm>

#include "pooling.hpp"
#include "vector.hpp"

namespace fovea {
namespace {

/// fields: images, channels, filters, input, output, window, strides, before [height, width] each, dtype, bias, pooled? (the
/// windows of a maxPool behind the convolution, with gated?: then dy is what reached that, its places precede it, and what that
/// gives for the convolution is made a picture at a time). Operands: x, places?, dy, dkernel [window, channels, filters], dbias?,
/// parts. The images are cut into parts by their number alone, which are added in order.
class FewChannelsGradient : public Operation {
 public:
  explicit FewChannelsGradient(const Fields &fields) : Operation(fields.where()) {
    implementation = "few channels";
    constexpr int64_t most = 1 << 20;
    images_ = fields.integer("images", 1, MOST);
    channels_ = fields.integer("channels", 1, 16);
    const int64_t filters = fields.integer("filters", 1, most);
    fields.integers("input", 1, LONGEST, input_);
    fields.integers("output", 1, LONGEST, output_);
    fields.integers("before", 0, LONGEST, before_);
    int64_t window[2], strides[2], bordered[2];
    fields.integers("window", 1, LONGEST, window);
    fields.integers("strides", 1, LONGEST, strides);
    const Type type = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    isLow_ = type == Type::bfloat16;
    hasBias_ = fields.flag("bias");
    for (int axis = 0; axis < 2; axis++) {
      bordered[axis] = (output_[axis] - 1) * strides[axis] + window[axis];
      if (before_[axis] >= bordered[axis]) throw fields.wrong("before", "windows that reach the input");
    }
    rowFloats_ = bordered[1] * channels_;
    border_ = product({bordered[0], rowFloats_}, where);
    loop_ = {output_[0], output_[1], filters, (filters + 15) / 16 * 16, window[0], window[1] * channels_,
             product({strides[0], rowFloats_}, where), strides[1] * channels_, rowFloats_};
    if (!loops().hasFewChannels(loop_.taps)) throw fields.wrong("window", "one for which there is a loop");
    sums_ = product({loop_.height, loop_.taps, loop_.padded}, where) + loop_.padded;
    const int64_t x = product({images_, input_[0], input_[1], channels_}, where) * bytesOf(type);
    const int64_t y = product({images_, output_[0], output_[1], filters}, where) * bytesOf(type);
    flow_ = output_[0] * output_[1] * filters;
    operandBytes = {x};
    if (fields.has("pooled")) {
      const Fields pooled = fields.object("pooled");
      pooled_ = std::make_unique<Windows>(windowsOf(pooled));
      isGated_ = pooled.flag("gated");
      const Windows &w = *pooled_;
      const bool fits = w.images == images_ && w.channels == filters && w.input[0] == 1 && w.input[1] == output_[0] && w.input[2] == output_[1];
      if (!fits || !hasFewPlaces(w)) throw fields.wrong("pooled", "windows over the result of the convolution");
      small_ = w.output[0] * w.output[1] * w.output[2] * filters;
      operandBytes.insert(operandBytes.end(), {images_ * small_, images_ * small_ * bytesOf(type)});
    } else operandBytes.push_back(y);
    kernel_ = operandBytes.size();
    operandBytes.push_back(loop_.height * loop_.taps * filters * 4);
    if (hasBias_) operandBytes.push_back(filters * 4);
    operandBytes.push_back(product({parts(), sums_}, where) * 4);
    // a picture with its border; of a maxPool's gradient a picture in float32, and one as it is stored
    scratchFloats = border_ + 16 + (pooled_ ? 2 * flow_ : 0);
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }
  void run(const Team &team) override {
    float *sums = reinterpret_cast<float *>(operands_.back());
    const int64_t bytes = isLow_ ? 2 : 4, picture = input_[0] * input_[1] * channels_;
    inPieces(team, parts(), 1, [&](int64_t from, int64_t to, int thread) {
      for (int64_t part = from; part < to; part++) {
        float *own = sums + part * sums_, *bordered = team.scratch[thread];
        std::fill(own, own + sums_, 0.0f);
        std::fill(bordered, bordered + border_, 0.0f);
        for (int64_t image = part * PICTURES; image < std::min(images_, (part + 1) * PICTURES); image++) {
          copy(operands_[0] + image * picture * bytes, bordered);
          loops().fewChannelsGradient(loop_, bordered, flowOf(image, bytes, bordered + border_ + 16), isLow_, own, own + sums_ - loop_.padded);
        }
      }
    });
    for (int64_t part = 1; part < parts(); part++) loops().accumulate(sums, sums + part * sums_, sums_);
    const int64_t rows = loop_.height * loop_.taps;
    float *kernel = reinterpret_cast<float *>(operands_[kernel_]);
    for (int64_t row = 0; row < rows; row++) std::memcpy(kernel + row * loop_.filters, sums + row * loop_.padded, loop_.filters * 4);
    if (hasBias_) std::memcpy(operands_[kernel_ + 1], sums + rows * loop_.padded, loop_.filters * 4);
  }

 private:
  static constexpr int64_t PICTURES = 8;  // of a part
  int64_t images_, channels_, rowFloats_, border_, sums_;
  int64_t input_[2], output_[2], before_[2];
  bool isLow_, hasBias_, isGated_ = false;
  int64_t flow_, small_ = 0;  // elements of a picture of dy, and of what reached the pooling
  std::unique_ptr<Windows> pooled_;
  size_t kernel_;  // operand
  FewChannels loop_;
  std::vector<char *> operands_;

  /// What reached the convolution's result, of one picture.
  const char *flowOf(int64_t image, int64_t bytes, float *scratch) const {
    if (!pooled_) return operands_[1] + image * flow_ * bytes;
    const uint8_t *places = reinterpret_cast<uint8_t *>(operands_[1]) + image * small_;
    poolingLoops().scatter(*pooled_, places, isGated_, operands_[2] + image * small_ * bytes, scratch + flow_, isLow_, scratch, 0, 1);
    return reinterpret_cast<char *>(scratch + flow_);
  }
  int64_t parts() const { return (images_ + PICTURES - 1) / PICTURES; }
  /// The picture into the middle of its border, which stays 0.
  void copy(const char *from, float *to) const {
    const int64_t width = input_[1] * channels_, rows = border_ / rowFloats_;
    for (int64_t row = 0; row < input_[0] && row + before_[0] < rows; row++) {
      const int64_t n = std::min(width, rowFloats_ - before_[1] * channels_);
      float *target = to + (row + before_[0]) * rowFloats_ + before_[1] * channels_;
      if (isLow_) loops().floatsFromBfloat16(reinterpret_cast<const uint16_t *>(from) + row * width, target, n);
      else std::memcpy(target, reinterpret_cast<const float *>(from) + row * width, n * 4);
    }
  }
};

}  // namespace

std::shared_ptr<Operation> makeFewChannelsGradient(const Fields &fields) { return std::make_shared<FewChannelsGradient>(fields); }

}  // namespace fovea
