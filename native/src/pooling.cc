#include "pooling.hpp"

#include <algorithm>

#include "expression.hpp"
#include "pooling-loops.hpp"

namespace fovea {

Windows windowsOf(const Fields &fields) {
  Windows windows;
  windows.images = fields.integer("images", 1, MOST);
  windows.channels = fields.integer("channels", 1, LONGEST);
  fields.integers("input", 1, LONGEST, windows.input);
  fields.integers("output", 1, LONGEST, windows.output);
  fields.integers("window", 1, LONGEST, windows.window);
  fields.integers("strides", 1, LONGEST, windows.stride);
  fields.integers("before", 0, LONGEST, windows.before);
  windows.countsPadding = fields.flag("countPadding");
  const auto &[images, channels, input, output, window, stride, before, countsPadding] = windows;
  for (int axis = 0; axis < 3; axis++) {
    // every window covers a place of the input at least
    const int64_t last = (output[axis] - 1) * stride[axis] - before[axis];
    if (before[axis] >= window[axis] || last >= input[axis]) throw fields.wrong("before", "windows that reach the input");
  }
  product({images, input[0], input[1], input[2], channels}, fields.where());
  product({images, output[0], output[1], output[2], channels}, fields.where());
  return windows;
}

bool hasFewPlaces(const Windows &windows) {
  const int64_t *window = windows.window;
  return std::max({window[0], window[1], window[2]}) <= MOST_PLACES && window[0] * window[1] * window[2] <= MOST_PLACES;
}

namespace {

/// fields: of, dtype, images, channels, input, output, window, strides, before [depth, height, width] each, countPadding? of a mean,
/// tail? of a gradient,
/// and of maxPool and its gradient places? (which place of a window had the largest) and gated? (the gradient passes where that is
/// above 0). Operands: x, y, places?; of the gradient x, y, dy, dx, or with places these, dy, dx; of averagePool's dy, dx;
/// of maxPoolTake x, y, g, z; then
/// what the tail reads.
class Pooling : public Operation {
 public:
  explicit Pooling(const Fields &fields) : Operation(fields.where()) {
    const std::string of = fields.text("of");
    isTake_ = of == "maxPoolTake";
    isMax_ = isTake_ || of == "maxPool" || of == "maxPoolGradient";
    isGradient_ = of == "maxPoolGradient" || of == "averagePoolGradient";
    if (!isMax_ && !isGradient_ && of != "averagePool") throw fields.wrong("of", "a pooling");
    const Type type = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    isLow_ = type == Type::bfloat16;
    windows_ = windowsOf(fields);
    const auto &[images, channels, input, output, window, stride, before, countsPadding] = windows_;
    image_ = product({input[0], input[1], input[2], channels}, where);
    const int64_t large = product({images, image_}, where);
    const int64_t small = product({images, output[0], output[1], output[2], channels}, where);
    const int64_t bytes = bytesOf(type);
    hasPlaces_ = fields.flag("places");
    if (hasPlaces_ && (!isMax_ || isTake_ || !hasFewPlaces(windows_))) throw fields.wrong("places", "a maxPool of small windows");
    isGated_ = fields.flag("gated");
    if (isTake_) operandBytes = {large * bytes, small * bytes, large * bytes, small * bytes};
    else if (!isGradient_) operandBytes = {large * bytes, small * bytes};
    if (!isGradient_ && hasPlaces_) operandBytes.push_back(small);
    if (!isGradient_) return;
    if (hasPlaces_) operandBytes = {small, small * bytes, large * bytes};
    else if (isMax_) operandBytes = {large * bytes, small * bytes, small * bytes, large * bytes};
    else operandBytes = {small * bytes, large * bytes};
    result_ = operandBytes.size() - 1;
    tail_ = std::make_unique<Tail>(fields, *this, large, type);
    own_ = channels + image_ * (isCrowded(windows_) ? 2 : 1);
    scratchFloats += own_;
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    if (tail_) tail_->bind(operands, operands[result_]);
  }
  void run(const Team &team) override {
    const PoolingLoops &vector = poolingLoops();
    char *const *operands = operands_.data();
    if (!isGradient_) {
      const int64_t rows = windows_.images * windows_.output[0] * windows_.output[1];
      const int64_t work = image_ / (windows_.output[0] * windows_.output[1]);
      inPieces(team, rows, std::max<int64_t>(1, GRAIN / std::max<int64_t>(1, work)), [&](int64_t from, int64_t to, int) {
        if (isTake_) vector.maxPoolTake(windows_, operands[0], operands[1], operands[2], operands[3], isLow_, from, to);
        else if (isMax_) vector.maxPool(windows_, operands[0], operands[1], hasPlaces_ ? placesIn(operands[2]) : nullptr, isLow_, from, to);
        else vector.averagePool(windows_, operands[0], operands[1], isLow_, from, to);
      });
      return;
    }
    inPieces(team, windows_.images, std::max<int64_t>(1, GRAIN / image_), [&](int64_t from, int64_t to, int thread) {
      float *scratch = team.scratch[thread];
      if (hasPlaces_) vector.scatter(windows_, placesIn(operands[0]), isGated_, operands[1], operands[2], isLow_, scratch, from, to);
      else if (isMax_) vector.maxPoolGradient(windows_, operands[0], operands[1], operands[2], operands[3], isLow_, scratch, from, to);
      else vector.averagePoolGradient(windows_, operands[0], operands[1], isLow_, scratch, from, to);
      tail_->run(scratch + own_, from * image_, to * image_);
    });
  }

 private:
  bool isMax_, isTake_, isGradient_, isLow_, hasPlaces_, isGated_;
  Windows windows_;
  int64_t image_, own_ = 0;
  size_t result_ = 1;
  std::unique_ptr<Tail> tail_;
  std::vector<char *> operands_;

  static uint8_t *placesIn(char *operand) { return reinterpret_cast<uint8_t *>(operand); }
};

}  // namespace

std::shared_ptr<Operation> makePooling(const Fields &fields) { return std::make_shared<Pooling>(fields); }

}  // namespace fovea
