#include "winograd.hpp"

#include <omp.h>

#include <algorithm>

#include "expression.hpp"
#include "vector.hpp"
#include "winograd-loops.hpp"

namespace fovea {
namespace {

/// Bytes of a thread's block: beside the kernel's, in a second cache of 1 to 2 MB. 400 to 1200 thousand were within 10 %.
constexpr int64_t BLOCK_BYTES = 600'000;

/// Kernels that are larger at the points are read once for all threads, and blocks have so many bytes.
constexpr int64_t OWN_KERNEL_BYTES = 3'000'000, SHARED_BLOCK_BYTES = 20'000'000;
/// Pieces of a block's rows that threads take, of a shared block.
constexpr int64_t PIECES = 64;

/// Blocks whose sums are added to one another, where a part has more than MOST_BLOCKS; then their sum is added to that of those before.
constexpr int64_t BLOCKS = 256, MOST_BLOCKS = 1024;

constexpr int64_t MOST_CHANNELS = 1 << 20;

/// The fields that tell of a kernel: channels, filters, window (3 or 5), points along an axis (6, or 3 for pictures of 2 by 2).
void readKernel(const Fields &fields, Winograd &w) {
  w.channels = fields.integer("channels", 16, MOST_CHANNELS), w.filters = fields.integer("filters", 16, MOST_CHANNELS);
  w.window = fields.integer("window", 3, 5);
  if (w.window == 4) throw fields.wrong("window", "3 or 5");
  w.points = fields.integer("points", 3, 6);
  if (w.points != 6 && (w.points != 3 || w.window != 3)) throw fields.wrong("points", "6, or 3 for a window of 3");
  w.tile = w.points == 3 ? 2 : 7 - w.window;
}
int64_t pointsBytes(const Winograd &w, const std::string &where) { return product({w.planes(), w.kernelPlane()}, where) * 4; }
int64_t kernelBytes(const Winograd &w, const std::string &where) { return product({w.window, w.window, w.channels, w.filters}, where) * 4; }
int64_t channelsAtOnce(const Winograd &w) { return std::max<int64_t>(16, GRAIN / (w.planes() * w.filters)); }

/// A kernel at the points. fields: channels, filters, window, points, turned (it is [window, window, filters, channels] and turned
/// round), once?. Operands: the kernel, its values.
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

/// fields: of (result, kernel), images, channels, filters, input, output, before [height, width] each, window (3 or 5), points,
/// bias; of a result tail?. Operands of a result: x, the kernel at the points, bias?, work, y, what the tail reads; of a kernel: x,
/// dy, dkernel, dbias?, work.
class WinogradConvolution : public Operation {
 public:
  explicit WinogradConvolution(const Fields &fields) : Operation(fields.where()) {
    const std::string of = fields.text("of");
    implementation = "winograd";
    if (of != "result" && of != "kernel") throw fields.wrong("of", "result or kernel");
    isKernel_ = of == "kernel";
    readShapes(fields);
    const int64_t x = product({w_.images, w_.input[0], w_.input[1], w_.channels}, where),
                  y = product({w_.images, w_.output[0], w_.output[1], w_.filters}, where);
    cutIntoBlocks();
    const bool hasBias = fields.flag("bias");
    if (isKernel_) {
      parts_ = w_.isShared ? 1 : std::min<int64_t>(omp_get_max_threads(), blocks_);
      stride_ = product({w_.planes(), w_.sumsPlane()}, where) + w_.paddedFilters();
      operandBytes = {x * 4, y * 4, kernelBytes(w_, where)};
      if (hasBias) bias_ = push(w_.filters * 4);
      group_ = blocks_ / parts_ > MOST_BLOCKS ? BLOCKS : 0;
      const int64_t sums = product({parts_, apart()}, where), block = w_.scratch() + pieces() * w_.paddedFilters();
      work_ = push((sums + (w_.isShared ? block : 0)) * 4);
      if (!w_.isShared) scratchFloats = block;
      return;
    }
    operandBytes = {x * 4, pointsBytes(w_, where)};
    if (hasBias) bias_ = push(w_.filters * 4);
    work_ = push(w_.isShared ? w_.scratch() * 4 : 1);
    result_ = push(y * 4);
    tail_ = std::make_unique<Tail>(fields, *this, y, Type::float32);
    if (w_.output[1] * w_.filters % tail_->unit() != 0) throw fields.wrong("tail", "an expression over rows of the result");
    tailFloats_ = scratchFloats;
    if (!w_.isShared) scratchFloats += w_.scratch();
  }

  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    if (tail_) tail_->bind(operands, operands[result_]);
  }
  void run(const Team &team) override { isKernel_ ? runKernel(team) : runResult(team); }

 private:
  Winograd w_{};
  bool isKernel_;
  int64_t rows_, blocks_, parts_ = 0, stride_ = 0, group_ = 0, tailFloats_ = 0;
  size_t bias_ = 0, work_ = 0, result_ = 0;  // operands
  std::unique_ptr<Tail> tail_;
  std::vector<char *> operands_;

  void readShapes(const Fields &fields) {
    w_.images = fields.integer("images", 1, MOST);
    readKernel(fields, w_);
    fields.integers("input", 1, LONGEST, w_.input);
    fields.integers("output", 1, LONGEST, w_.output);
    fields.integers("before", 0, LONGEST, w_.before);
    for (int axis = 0; axis < 2; axis++) {
      w_.tiles[axis] = (w_.output[axis] + w_.tile - 1) / w_.tile;
      if (w_.points == 6) continue;
      if (w_.input[axis] != 2 || w_.output[axis] != 2 || w_.before[axis] != 1)
        throw fields.wrong("points", "6: these are no pictures of 2 by 2");
      w_.before[axis] = 0;  // it is known what the border is
    }
  }
  void cutIntoBlocks() {
    rows_ = product({w_.images, w_.tiles[0]}, where);
    w_.isShared = pointsBytes(w_, where) > OWN_KERNEL_BYTES;
    const int64_t tileBytes = w_.planes() * 4 * (w_.sourceRow() + w_.resultRow()), threads = omp_get_max_threads();
    const int64_t bytes = w_.isShared ? SHARED_BLOCK_BYTES : BLOCK_BYTES, most = w_.isShared ? rows_ : (rows_ + threads - 1) / threads;
    w_.rows = std::clamp<int64_t>(bytes / tileBytes / w_.tiles[1], 1, most);
    blocks_ = (rows_ + w_.rows - 1) / w_.rows;
    if (w_.isShared) w_.rows = (rows_ + blocks_ - 1) / blocks_, blocks_ = (rows_ + w_.rows - 1) / w_.rows;
    w_.capacity = (w_.rows * w_.tiles[1] + (w_.isShared ? 20 : 15)) / 16 * 16;
    product({w_.capacity + 16, w_.planes(), w_.channels + w_.filters + 48}, where);
  }
  size_t push(int64_t bytes) {
    operandBytes.push_back(bytes);
    return operandBytes.size() - 1;
  }
  /// From the sums of a part to the next: where blocks are added in groups, those of a group follow.
  int64_t apart() const { return group_ > 0 ? 2 * stride_ : stride_; }
  float *floats(size_t operand) const { return reinterpret_cast<float *>(operands_[operand]); }
  /// The element that a row of tiles begins with.
  int64_t elementOf(int64_t row) const {
    return (row / w_.tiles[0] * w_.output[0] + row % w_.tiles[0] * w_.tile) * w_.output[1] * w_.filters;
  }
  int64_t grain() const { return w_.isShared ? (w_.rows + PIECES - 1) / PIECES : w_.rows; }
  int64_t pieces() const { return (w_.rows + grain() - 1) / grain(); }

  /// A block of rows, for the threads that compute it: all, or one.
  struct Block {
    const Team &team;
    int64_t from, rows, tiles;
    float *zeros, *source, *result, *biases;
  };
  Block blockOf(const Team &team, int64_t index, float *memory) const {
    const int64_t from = index * w_.rows, rows = std::min(w_.rows, rows_ - from);
    float *source = memory + w_.zeros(), *result = source + w_.planes() * w_.sourcePlane();
    std::fill(memory, source, 0.0f);
    return {team, from, rows, rows * w_.tiles[1], memory, source, result, memory + w_.scratch()};
  }
  /// Calls `body(team, from, to)` for [0, total): once with all threads where blocks are shared, else each thread has its part.
  template <typename Body>
  void inTeams(const Team &team, int64_t total, Body body) {
    if (w_.isShared) return body(team, 0, total);
    inPieces(team, total, 1, [&](int64_t from, int64_t to, int thread) { body(Team{1, {team.scratch[thread]}}, from, to); });
  }

  void runResult(const Team &team) {
    inTeams(team, blocks_, [&](const Team &some, int64_t from, int64_t to) {
      float *memory = w_.isShared ? floats(work_) : some.scratch[0] + tailFloats_;
      for (int64_t index = from; index < to; index++) resultBlock(blockOf(some, index, memory));
    });
  }
  void resultBlock(const Block &b) {
    const WinogradLoops &loops = winogradLoops();
    const float *bias = bias_ ? floats(bias_) : nullptr;
    inPieces(b.team, b.rows, grain(),
             [&](int64_t from, int64_t to, int) { loops.source(w_, floats(0), b.zeros, b.source, b.from + from, b.from + to, b.from); });
    inPieces(b.team, loops.pieces(w_), 1,
             [&](int64_t from, int64_t to, int) { loops.products(w_, b.source, floats(1), b.result, b.tiles, from, to); });
    inPieces(b.team, b.rows, grain(), [&](int64_t from, int64_t to, int thread) {
      loops.result(w_, b.result, bias, floats(result_), b.from + from, b.from + to, b.from);
      tail_->run(b.team.scratch[thread], elementOf(b.from + from), elementOf(b.from + to));
    });
  }
  void runKernel(const Team &team) {
    float *sums = floats(work_), *shared = sums + parts_ * apart();
    inTeams(team, parts_, [&](const Team &some, int64_t part, int64_t) {
      sumPart(some, part, sums + part * apart(), w_.isShared ? shared : some.scratch[0]);
    });
    inPieces(team, w_.channels, channelsAtOnce(w_),
             [&](int64_t from, int64_t to, int) { winogradLoops().gradientEnd(w_, sums, parts_, apart(), floats(2), from, to); });
    if (bias_) winogradLoops().biasEnd(w_, sums + stride_ - w_.paddedFilters(), parts_, apart(), floats(bias_));
  }
  void sumPart(const Team &team, int64_t part, float *total, float *memory) {
    float *own = group_ > 0 ? total + stride_ : total;
    if (group_ > 0) std::fill(total, own, 0.0f);
    const int64_t first = blocks_ * part / parts_, last = blocks_ * (part + 1) / parts_;
    bool isFirst = true;
    for (int64_t index = first; index < last; index++) {
      gradientBlock(blockOf(team, index, memory), own, isFirst);
      isFirst = group_ > 0 && ((index + 1 - first) % group_ == 0 || index + 1 == last);
      if (isFirst) loops().accumulate(total, own, stride_);
    }
  }
  /// What a block gives for the kernel and the bias becomes `sums`, or is added to them.
  void gradientBlock(const Block &b, float *sums, bool isFirst) {
    const WinogradLoops &loops = winogradLoops();
    const int64_t padded = w_.paddedFilters();
    inPieces(b.team, b.rows, grain(), [&](int64_t from, int64_t to, int) {
      loops.source(w_, floats(0), b.zeros, b.source, b.from + from, b.from + to, b.from);
      float *biases = b.biases + from / grain() * padded;
      std::fill(biases, biases + padded, 0.0f);
      loops.flow(w_, floats(1), b.zeros, b.result, biases, b.from + from, b.from + to, b.from);
    });
    float *biases = sums + stride_ - padded;
    if (isFirst) std::fill(biases, biases + padded, 0.0f);
    for (int64_t from = 0; from < b.rows; from += grain()) fovea::loops().accumulate(biases, b.biases + from / grain() * padded, padded);
    inPieces(b.team, loops.pieces(w_), 1,
             [&](int64_t from, int64_t to, int) { loops.sums(w_, b.source, b.result, sums, b.tiles, isFirst, from, to); });
  }
};

}  // namespace

std::shared_ptr<Operation> makeWinogradKernel(const Fields &fields) { return std::make_shared<WinogradKernel>(fields); }
std::shared_ptr<Operation> makeWinograd(const Fields &fields) { return std::make_shared<WinogradConvolution>(fields); }

}  // namespace fovea
