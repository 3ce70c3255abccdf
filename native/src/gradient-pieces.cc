// The gradient of a convolution's kernel over very many places. oneDNN adds all of them to the same sums of float32, one after the
// other; here it gets some thousand places at a time, and what these give is added in float64. Each thread has pieces of its own,
// which it computes alone.
#include "gradient-pieces.hpp"

#include <algorithm>
#include <exception>

#include "handle.hpp"
#include "onednn.hpp"

namespace fovea {
namespace {

/// fields: variants (for each the same product once a thread), pieces [variant, first element of x, of dy] one behind the other,
/// x, dy (elements), dtype, bias?. Operands: x, dy, dkernel as the products have it, dbias?, sums.
class GradientPieces : public Operation {
 public:
  explicit GradientPieces(const Fields &fields) : Operation(fields.where()) {
    for (const Fields &variant : fields.list("variants")) {
      variants_.emplace_back();
      for (const Fields &own : variant.list("products")) {
        const auto product = unwrap<Operation>(own.value("product"), where);
        if (product->isPlaced) throw fields.wrong("product", "one that stands nowhere else");
        product->isPlaced = true;
        variants_.back().push_back(product);
      }
    }
    threads_ = variants_.empty() ? 0 : int64_t(variants_[0].size());
    if (threads_ == 0) throw fields.wrong("variants", "products for each thread");
    const bool hasBias = fields.flag("bias");
    sums_ = hasBias ? 4 : 3;  // the operand
    const Operation &first = *variants_[0][0];
    if (first.operandBytes.size() != sums_ + 1) throw fields.wrong("variants", "gradients of a kernel");
    const int64_t bytes = bytesOf(typeOf(fields, "dtype", {Type::float32, Type::bfloat16}));
    operandBytes = {fields.integer("x", 1, MOST) * bytes, fields.integer("dy", 1, MOST) * bytes, first.operandBytes[2]};
    kernel_ = first.operandBytes[2] / 4;
    if (hasBias) operandBytes.push_back(first.operandBytes[3]), bias_ = first.operandBytes[3] / 4;
    for (const auto &variant : variants_) {
      if (int64_t(variant.size()) != threads_) throw fields.wrong("variants", "products for each thread");
      for (const auto &own : variant) {
        const Sizes &wanted = own->operandBytes;
        const bool isAlike = wanted.size() == sums_ + 1 && std::equal(wanted.begin() + 2, wanted.end() - 1, operandBytes.begin() + 2);
        if (!isAlike || !haveSamePacking(first, *own)) throw fields.wrong("variants", "gradients of the same kernel");
        scratch_ = std::max(scratch_, roundUp(wanted.back()));
      }
    }
    implementation = first.implementation + ", in pieces";
    const Sizes list = fields.integers("pieces", 0, MOST);
    if (list.size() % 3 != 0) throw fields.wrong("pieces", "three numbers each");
    for (size_t i = 0; i < list.size(); i += 3) {
      if (list[i] >= int64_t(variants_.size())) throw fields.wrong("pieces", "numbers of variants");
      const Sizes &wanted = variants_[list[i]][0]->operandBytes;
      const Piece piece{size_t(list[i]), list[i + 1] * bytes, list[i + 2] * bytes};
      if (piece.x + wanted[0] > operandBytes[0] || piece.dy + wanted[1] > operandBytes[1]) throw fields.wrong("pieces", "within x and dy");
      pieces_.push_back(piece);
    }
    // of a thread: its totals in double, what a piece gives, and oneDNN's scratch
    stride_ = roundUp((kernel_ + bias_) * 8) + roundUp(kernel_ * 4) + roundUp(bias_ * 4) + scratch_;
    operandBytes.push_back(product({threads_, stride_}, where));
  }
  void create() override {
    for (const auto &variant : variants_)
      for (const auto &own : variant) own->create();
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }
  void run(const Team &team) override {
    const int64_t pieces = int64_t(pieces_.size()), shares = std::min<int64_t>(threads_, team.threads);
    std::vector<std::exception_ptr> failures(static_cast<size_t>(shares));
    inPieces(team, shares, 1, [&](int64_t share, int64_t, int) {
      try {
        compute(share, pieces * share / shares, pieces * (share + 1) / shares);
      } catch (...) {  // nothing may leave a thread
        failures[size_t(share)] = std::current_exception();
      }
    });
    for (const std::exception_ptr &failure : failures)
      if (failure) std::rethrow_exception(failure);
    float *kernel = reinterpret_cast<float *>(operands_[2]), *bias = bias_ > 0 ? reinterpret_cast<float *>(operands_[3]) : nullptr;
    inPieces(team, kernel_ + bias_, GRAIN, [&](int64_t from, int64_t to, int) {
      for (int64_t i = from; i < to; i++) {
        double sum = 0;
        for (int64_t share = 0; share < shares; share++) sum += totalsOf(share)[i];
        (i < kernel_ ? kernel[i] : bias[i - kernel_]) = float(sum);
      }
    });
  }

 private:
  struct Piece {
    size_t variant;
    int64_t x, dy;  // bytes
  };
  std::vector<std::vector<std::shared_ptr<Operation>>> variants_;
  std::vector<Piece> pieces_;
  int64_t threads_, kernel_, bias_ = 0, scratch_ = 0, stride_;
  size_t sums_;
  std::vector<char *> operands_;

  static int64_t roundUp(int64_t bytes) { return (bytes + 63) / 64 * 64; }
  double *totalsOf(int64_t share) const { return reinterpret_cast<double *>(operands_[sums_] + share * stride_); }

  void compute(int64_t share, int64_t from, int64_t to) const {
    double *totals = totalsOf(share);
    std::fill(totals, totals + kernel_ + bias_, 0.0);
    char *kernel = reinterpret_cast<char *>(totals) + roundUp((kernel_ + bias_) * 8), *bias = kernel + roundUp(kernel_ * 4);
    const Team alone{1, {}};
    for (int64_t i = from; i < to; i++) {
      const Piece &piece = pieces_[size_t(i)];
      Operation &product = *variants_[piece.variant][size_t(share)];
      std::vector<char *> own{operands_[0] + piece.x, operands_[1] + piece.dy, kernel};
      if (bias_ > 0) own.push_back(bias);
      own.push_back(bias + roundUp(bias_ * 4));
      product.bind(own);
      product.run(alone);
      add(totals, reinterpret_cast<float *>(kernel), kernel_);
      add(totals + kernel_, reinterpret_cast<float *>(bias), bias_);
    }
  }
  static void add(double *totals, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) totals[i] += double(x[i]);
  }
};

}  // namespace

std::shared_ptr<Operation> makeGradientPieces(const Fields &fields) { return std::make_shared<GradientPieces>(fields); }

}  // namespace fovea
