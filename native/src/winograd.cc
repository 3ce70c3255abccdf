#include "winograd.hpp"

#include <omp.h>

#include <algorithm>

#include "expression.hpp"
#include "vector.hpp"
#include "winograd-loops.hpp"

namespace fovea {
namespace {

/// Bytes of a block's planes: beside the kernel's, in a second cache of 1 to 2 MB. 400 to 1200 thousand were within 10 %.
constexpr int64_t BLOCK_BYTES = 600'000;

/// Blocks whose sums are added to one another, where a part has more than MOST_BLOCKS; then their sum is added to that of those before.
constexpr int64_t BLOCKS = 256, MOST_BLOCKS = 1024;

constexpr int64_t MOST_CHANNELS = 1 << 20;

/// The fields that tell of a kernel: channels, filters, window (3 or 5).
void readKernel(const Fields &fields, Winograd &w) {
  w.channels = fields.integer("channels", 16, MOST_CHANNELS), w.filters = fields.integer("filters", 16, MOST_CHANNELS);
  w.window = fields.integer("window", 3, 5);
  if (w.window == 4) throw fields.wrong("window", "3 or 5");
  w.tile = 7 - w.window;
}
int64_t pointsBytes(const Winograd &w, const std::string &where) { return product({Winograd::POINTS, w.kernelPlane()}, where) * 4; }
int64_t kernelBytes(const Winograd &w, const std::string &where) { return product({w.window, w.window, w.channels, w.filters}, where) * 4; }
int64_t channelsAtOnce(const Winograd &w) { return std::max<int64_t>(1, GRAIN / (Winograd::POINTS * w.filters)); }

/// A kernel at the points. fields: channels, filters, window, turned (it is [window, window, filters, channels] and turned round),
/// once?. Operands: the kernel, its values.
class WinogradKernel : public Operation {
 public:
  explicit WinogradKernel(const Fields &fields) : Operation(fields.where()) {
    readKernel(fields, w_);
    isTurned_ = fields.flag("turned");
    isOnce = fields.flag("once");
    operandBytes = {kernelBytes(w_, where), pointsBytes(w_, where)};
  }
  void bind(const std::vector<char *> &operands) override {
    kernel_ = reinterpret_cast<const float *>(operands[0]), points_ = reinterpret_cast<float *>(operands[1]);
  }
  void run(const Team &team) override {
    inPieces(team, w_.channels, channelsAtOnce(w_),
             [&](int64_t from, int64_t to, int) { winogradLoops().kernel(w_, kernel_, isTurned_, points_, from, to); });
  }

 private:
  Winograd w_{};
  bool isTurned_;
  const float *kernel_ = nullptr;
  float *points_ = nullptr;
};

/// fields: of (result, kernel), images, channels, filters, input, output, before [height, width] each, window (3 or 5), bias; of
/// a result tail?. Operands of a result: x, the kernel at the points, bias?, y, what the tail reads; of a kernel: x, dy, dkernel,
/// dbias?, sums.
class WinogradConvolution : public Operation {
 public:
  explicit WinogradConvolution(const Fields &fields) : Operation(fields.where()) {
    const std::string of = fields.text("of");
    implementation = "winograd";
    if (of != "result" && of != "kernel") throw fields.wrong("of", "result or kernel");
    isKernel_ = of == "kernel";
    w_.images = fields.integer("images", 1, MOST);
    readKernel(fields, w_);
    fields.integers("input", 1, LONGEST, w_.input);
    fields.integers("output", 1, LONGEST, w_.output);
    fields.integers("before", 0, LONGEST, w_.before);
    const auto &[height, width] = w_.output;
    w_.tiles[0] = (height + w_.tile - 1) / w_.tile, w_.tiles[1] = (width + w_.tile - 1) / w_.tile;
    const int64_t x = product({w_.images, w_.input[0], w_.input[1], w_.channels}, where),
                  y = product({w_.images, height, width, w_.filters}, where);
    rows_ = w_.images * w_.tiles[0];
    const int64_t tileBytes = Winograd::POINTS * 4 * (w_.channels + w_.filters), threads = omp_get_max_threads();
    w_.rows = std::clamp<int64_t>(BLOCK_BYTES / tileBytes / w_.tiles[1], 1, (rows_ + threads - 1) / threads);
    w_.capacity = (w_.rows * w_.tiles[1] + 15) / 16 * 16;
    blocks_ = (rows_ + w_.rows - 1) / w_.rows;
    product({w_.capacity + 16, Winograd::POINTS, w_.channels + w_.filters + 16}, where);
    const bool hasBias = fields.flag("bias");
    if (isKernel_) {
      parts_ = std::min(threads, blocks_);
      stride_ = product({Winograd::POINTS, w_.sumsPlane()}, where) + w_.paddedFilters();
      operandBytes = {x * 4, y * 4, kernelBytes(w_, where)};
      if (hasBias) bias_ = push(w_.filters * 4);
      group_ = blocks_ / parts_ > MOST_BLOCKS ? BLOCKS : 0;
      sums_ = push(product({parts_, apart()}, where) * 4);
      scratchFloats = w_.scratch() + w_.paddedFilters();
      return;
    }
    operandBytes = {x * 4, pointsBytes(w_, where)};
    if (hasBias) bias_ = push(w_.filters * 4);
    result_ = push(y * 4);
    tail_ = std::make_unique<Tail>(fields, *this, y, Type::float32);
    if (width * w_.filters % tail_->unit() != 0) throw fields.wrong("tail", "an expression over rows of the result");
    tailFloats_ = scratchFloats;
    scratchFloats += w_.scratch();
  }

  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    if (tail_) tail_->bind(operands, operands[result_]);
  }
  void run(const Team &team) override { isKernel_ ? runKernel(team) : runResult(team); }

 private:
  Winograd w_;
  bool isKernel_;
  int64_t rows_, blocks_, parts_ = 0, stride_ = 0, group_ = 0, tailFloats_ = 0;
  size_t bias_ = 0, result_ = 0, sums_ = 0;  // operands
  std::unique_ptr<Tail> tail_;
  std::vector<char *> operands_;

  size_t push(int64_t bytes) {
    operandBytes.push_back(bytes);
    return operandBytes.size() - 1;
  }
  /// From the sums of a part to the next: where blocks are added in groups, those of a group follow.
  int64_t apart() const { return group_ > 0 ? 2 * stride_ : stride_; }
  float *floats(size_t operand) const { return reinterpret_cast<float *>(operands_[operand]); }
  int64_t rowAfter(int64_t block) const { return std::min((block + 1) * w_.rows, rows_); }
  /// The element that a row of tiles begins with.
  int64_t elementOf(int64_t row) const {
    return (row / w_.tiles[0] * w_.output[0] + row % w_.tiles[0] * w_.tile) * w_.output[1] * w_.filters;
  }

  void runResult(const Team &team) {
    const float *bias = bias_ ? floats(bias_) : nullptr;
    inPieces(team, blocks_, 1, [&](int64_t block, int64_t, int thread) {
      float *scratch = team.scratch[thread];
      const int64_t from = block * w_.rows, to = rowAfter(block);
      winogradLoops().result(w_, floats(0), floats(1), bias, floats(result_), scratch + tailFloats_, from, to);
      tail_->run(scratch, elementOf(from), elementOf(to));
    });
  }
  void runKernel(const Team &team) {
    float *sums = floats(sums_);
    const int64_t planes = stride_ - w_.paddedFilters();
    inPieces(team, parts_, 1, [&](int64_t part, int64_t, int thread) {
      float *total = sums + part * apart(), *own = group_ > 0 ? total + stride_ : total;
      std::fill(total, total + apart(), 0.0f);
      const int64_t last = blocks_ * (part + 1) / parts_;
      for (int64_t first = blocks_ * part / parts_, block = first; block < last; block++) {
        winogradLoops().gradient(w_, floats(0), floats(1), own, own + planes, team.scratch[thread], block * w_.rows, rowAfter(block));
        if (group_ == 0 || ((block + 1 - first) % group_ != 0 && block + 1 < last)) continue;
        loops().accumulate(total, own, stride_);
        std::fill(own, own + stride_, 0.0f);
      }
    });
    inPieces(team, w_.channels, channelsAtOnce(w_),
             [&](int64_t from, int64_t to, int) { winogradLoops().gradientEnd(w_, sums, parts_, apart(), floats(2), from, to); });
    if (bias_) winogradLoops().biasEnd(w_, sums + planes, parts_, apart(), floats(bias_));
  }
};

}  // namespace

std::shared_ptr<Operation> makeWinogradKernel(const Fields &fields) { return std::make_shared<WinogradKernel>(fields); }
std::shared_ptr<Operation> makeWinograd(const Fields &fields) { return std::make_shared<WinogradConvolution>(fields); }

}  // namespace fovea
