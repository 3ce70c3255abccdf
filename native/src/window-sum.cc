#include "window-sum.hpp"

#include <algorithm>

#include "expression.hpp"

namespace fovea {

namespace {

/// Floats of rows that are handled at once: with their sums they stay in the second cache.
constexpr int64_t AT_ONCE = 4096;

/// y[row][i] is the sum of an expression's elements [i - before, i + after] of the row. fields: rows, width, before, after, head,
/// tail?. Operands: inputs of the head, y, what the tail reads.
class WindowSum : public Operation {
 public:
  explicit WindowSum(const Fields &fields) : Operation(fields.where()), head_(fields.object("head")) {
    const int64_t rows = fields.integer("rows", 1, MOST);
    width_ = fields.integer("width", 1, MOST);
    before_ = fields.integer("before", 0, width_ - 1);
    after_ = fields.integer("after", 0, width_ - 1);
    elements_ = product({rows, width_}, where);
    if (elements_ != head_.elements()) throw fields.wrong("rows", "sizes of the whole");
    if (head_.outputs().size() != 1 || head_.outputs()[0].type != Type::float32) throw fields.wrong("head", "one expression in float32");
    for (const Expression::Input &input : head_.inputs()) operandBytes.push_back(bytesOf(input.type, input.elements));
    result_ = operandBytes.size();
    operandBytes.push_back(bytesOf(Type::float32, elements_));
    scratchFloats = head_.scratchFloats();
    tail_ = std::make_unique<Tail>(fields, *this, elements_, Type::float32);
    // pieces begin where rows do, and where operands of one row do
    for (const int64_t unit : {width_, head_.unit(), tail_->unit()}) step_ = std::max(step_, unit);
    if (step_ % width_ != 0) throw fields.wrong("width", "rows that operands follow");
    grain_ = std::max<int64_t>(1, AT_ONCE / step_) * step_;
    pitch_ = before_ + width_ + after_;
    line_ = std::min(grain_, elements_) / width_ * pitch_ + 16;
    scratchFloats += line_;
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    tail_->bind(operands, operands[result_]);
  }
  void run(const Team &team) override {
    inPieces(team, elements_, grain_, [&](int64_t from, int64_t to, int thread) {
      float *line = team.scratch[thread], *scratch = line + line_;
      const int64_t rows = (to - from) / width_;
      // every row with zeros around it: no window ends early
      std::fill(line, line + line_, 0.0f);
      head_.each(operands_.data(), 1, nullptr, scratch, from, to, [&](int64_t at, int64_t n, int64_t, const float *x) {
        for (int64_t done = 0; done < n;) {
          const int64_t row = (at - from + done) / width_, begin = (at - from + done) % width_, count = std::min(width_ - begin, n - done);
          std::memcpy(line + row * pitch_ + before_ + begin, x + done, count * sizeof(float));
          done += count;
        }
      });
      float *y = reinterpret_cast<float *>(operands_[result_]) + from;
      for (int64_t row = 0; row < rows; row++) loops().windowSums(line + row * pitch_, before_ + 1 + after_, width_, y + row * width_);
      tail_->run(scratch, from, to);
    });
  }

 private:
  Expression head_;
  int64_t width_, before_, after_, elements_, step_ = 1, grain_, pitch_, line_;
  size_t result_;
  std::unique_ptr<Tail> tail_;
  std::vector<char *> operands_;
};

}  // namespace

std::shared_ptr<Operation> makeWindowSum(const Fields &fields) { return std::make_shared<WindowSum>(fields); }

}  // namespace fovea
