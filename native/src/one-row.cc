#include "one-row.hpp"

#include <algorithm>

#include "expression.hpp"
#include "vector.hpp"

namespace fovea {
namespace {

constexpr int64_t WIDTH = ROW_COLUMNS;

/// The columns of a matrix [k, n] in blocks of 32 that lie one behind the other: [n / 32, k, 32].
struct Blocks {
  Blocks(const Fields &fields, const std::string &where) {
    k = fields.integer("k", 1, MOST), n = fields.integer("n", 1, MOST);
    count = (n + WIDTH - 1) / WIDTH;
    bytes = product({count, k, WIDTH}, where) * 4;
  }
  int64_t k, n, count, bytes;
  int64_t widthOf(int64_t block) const { return std::min(WIDTH, n - block * WIDTH); }
};

/// fields: k, n. Operands: the matrix, its blocks.
class RowWeights : public Operation {
 public:
  explicit RowWeights(const Fields &fields) : Operation(fields.where()), blocks_(fields, where) {
    isOnce = true;
    operandBytes = {product({blocks_.k, blocks_.n}, where) * 4, blocks_.bytes};
  }
  void bind(const std::vector<char *> &operands) override {
    from_ = reinterpret_cast<const float *>(operands[0]), to_ = reinterpret_cast<float *>(operands[1]);
  }
  void run(const Team &team) override {
    const auto &[k, n, count, bytes] = blocks_;
    inPieces(team, count, 1, [&](int64_t block, int64_t, int) {
      const int64_t width = blocks_.widthOf(block);
      for (int64_t row = 0; row < k; row++) {
        float *to = to_ + (block * k + row) * WIDTH;
        std::copy_n(from_ + row * n + block * WIDTH, width, to);
        std::fill(to + width, to + WIDTH, 0.0f);
      }
    });
  }

 private:
  Blocks blocks_;
  const float *from_ = nullptr;
  float *to_ = nullptr;
};

/// fields: k, n, bias?, tail?. Operands: x [k], blocks of the matrix, bias?, y [n], what the tail reads.
///
/// The weights of a large layer come from memory at every run, since the caches do not hold them all. Each run goes through them
/// the other way round than the one before, and finds in the second cache what that one read last: within LeNet [2450, 500]
/// 74 to 56 us, within others [4096, 512] 139 to 118, [3136, 1024] 221 to 195. Every column is a sum of its own, so that the order changes no result.
class OneRow : public Operation {
 public:
  explicit OneRow(const Fields &fields) : Operation(fields.where()), blocks_(fields, where) {
    implementation = "one row";
    operandBytes = {blocks_.k * 4, blocks_.bytes};
    hasBias_ = fields.flag("bias");
    if (hasBias_) operandBytes.push_back(blocks_.n * 4);
    result_ = operandBytes.size();
    operandBytes.push_back(blocks_.n * 4);
    tail_ = std::make_unique<Tail>(fields, *this, blocks_.n, Type::float32);
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    tail_->bind(operands, operands[result_]);
  }
  void run(const Team &team) override {
    const auto &[k, n, count, bytes] = blocks_;
    const float *x = floats(0), *weights = floats(1), *bias = hasBias_ ? floats(2) : nullptr;
    float *y = floats(result_);
    isBack_ = !isBack_;
    const int64_t grain = std::max<int64_t>(1, GRAIN / (k * WIDTH));
    inShares(team, count, grain, [&](int64_t from, int64_t to) {
      for (int64_t i = 0; i < to - from; i++) {
        const int64_t block = isBack_ ? to - 1 - i : from + i, width = blocks_.widthOf(block);
        float sums[WIDTH];
        loops().rowBlock(x, weights + block * k * WIDTH, k, sums);
        for (int64_t c = 0; c < width; c++) y[block * WIDTH + c] = bias ? sums[c] + bias[block * WIDTH + c] : sums[c];
      }
    });
    tail_->run(team, 0, n);
  }

 private:
  Blocks blocks_;
  bool hasBias_, isBack_ = false;
  size_t result_;
  std::unique_ptr<Tail> tail_;
  std::vector<char *> operands_;

  float *floats(size_t operand) const { return reinterpret_cast<float *>(operands_[operand]); }
};

}  // namespace

std::shared_ptr<Operation> makeOneRow(const Fields &fields) { return std::make_shared<OneRow>(fields); }
std::shared_ptr<Operation> makeRowWeights(const Fields &fields) { return std::make_shared<RowWeights>(fields); }

}  // namespace fovea
