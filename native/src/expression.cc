#include "expression.hpp"

#include <algorithm>

namespace fovea {

namespace {

/// Elements that are fetched ahead: fewer come too late, twice as many push out others.
constexpr int64_t AHEAD = 4 * BLOCK;

/// Pieces from which several threads take part: below, a loop is over before the others are awake.
constexpr int64_t SHARED = 4;

/// `n` floats from element `at` of a tensor of any type.
void convert(Type type, const char *from, int64_t at, float *to, int64_t n) {
  switch (type) {
    case Type::float32: std::memcpy(to, reinterpret_cast<const float *>(from) + at, n * sizeof(float)); break;
    case Type::bfloat16: loops().floatsFromBfloat16(reinterpret_cast<const uint16_t *>(from) + at, to, n); break;
    case Type::int32: loops().floatsFromInt32(reinterpret_cast<const int32_t *>(from) + at, to, n); break;
    case Type::uint8: loops().floatsFromUint8(reinterpret_cast<const uint8_t *>(from) + at, to, n); break;
  }
}

/// Asks for bytes that are soon read (0) or written (1): they come while others are computed. Beyond an end nothing is fetched.
template <int WRITTEN>
inline void fetch(const char *from, int64_t bytes) {
  for (int64_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(from + byte, WRITTEN, 3);
}

}  // namespace

Expression::Expression(const Fields &fields) {
  const std::string &where = fields.where();
  sizes_ = fields.integers("sizes", 1, MOST);
  if (sizes_.empty() || sizes_.size() > MOST_AXES) throw fields.wrong("sizes", "at least one size");
  elements_ = product(sizes_, where);
  width_ = sizes_.back();
  step_ = width_ <= BLOCK ? BLOCK / width_ * width_ : BLOCK;  // pieces may begin within a long row
  for (const Fields &input : fields.list("inputs")) {
    const std::string walk = input.text("walk");
    Input one{typeOf(input, "dtype"), Walk::whole, {}, elements_};
    if (walk == "scalar") one.walk = Walk::scalar, one.elements = 1;
    else if (walk == "column") one.walk = Walk::column, one.elements = width_;
    else if (walk == "general") {
      one.walk = Walk::general;
      one.strides = input.integers("strides", 0, MOST);
      if (one.strides.size() != sizes_.size()) throw input.wrong("strides", "one an axis");
      one.elements = 1;
      for (size_t axis = 0; axis < sizes_.size(); axis++) {
        if (sizes_[axis] > 1 && one.strides[axis] > MOST / sizes_[axis]) throw Fault("E_LIMIT", where, "the tensor is too large");
        one.elements += (sizes_[axis] - 1) * one.strides[axis];
      }
    } else if (walk != "whole") throw input.wrong("walk", "whole, scalar, column or general");
    inputs_.push_back(std::move(one));
  }
  if (inputs_.size() > MOST_INPUTS) throw fields.wrong("inputs", "fewer inputs");
  const std::vector<float> constants = fields.floats("constants");
  const int64_t first = int64_t(inputs_.size()), own = first + int64_t(constants.size());
  values_ = fields.integer("values", own, MOST_VALUES);
  for (const float value : constants) constants_.insert(constants_.end(), BLOCK, value);
  const Sizes code = fields.integers("code", 0, MOST_VALUES);
  if (code.size() % 5 != 0) throw fields.wrong("code", "five numbers an instruction");
  for (size_t i = 0; i < code.size(); i += 5) {
    if (code[i] >= FUNCTIONS) throw fields.wrong("code", "known functions");
    if (code[i + 1] < own) throw fields.wrong("code", "instructions that leave inputs and constants as they are");
    for (int k = 1; k < 5; k++)
      if (code[i + k] >= values_) throw fields.wrong("code", "instructions over the values that there are");
    code_.push_back({Function(code[i]), int32_t(code[i + 1]), int32_t(code[i + 2]), int32_t(code[i + 3]), int32_t(code[i + 4])});
  }
  for (const Fields &output : fields.list("outputs"))
    outputs_.push_back({int32_t(output.integer("value", 0, values_ - 1)), typeOf(output, "dtype", {Type::float32, Type::bfloat16})});
  if (outputs_.empty()) throw fields.wrong("outputs", "at least one");
  const Output &last = outputs_[0];
  isStreamed_ = fields.flag("streamed");
  only_ = onlyOf();
  if (only_ == Only::none) splitEnding();
  isDirect_ = outputs_.size() == 1 && last.type == Type::float32 && !code_.empty() && code_.back().target == last.value;
}

int64_t Expression::unit() const {
  for (const Input &input : inputs_)
    if (input.walk == Walk::column && width_ <= BLOCK) return width_;
  return 1;
}

/// Loops over whole tensors that make bfloat16 of bfloat16 or of float32, where the whole expression is one.
Expression::Only Expression::onlyOf() const {
  const auto isWhole = [&](size_t i, Type type) { return inputs_[i].type == type && inputs_[i].walk == Walk::whole; };
  if (outputs_.size() != 1 || outputs_[0].type != Type::bfloat16 || code_.size() != 1 || code_[0].target != outputs_[0].value)
    return Only::none;
  const Instruction &step = code_[0];
  const size_t count = inputs_.size();
  if (step.a != 0 || !(isWhole(0, Type::bfloat16) || isWhole(0, Type::float32))) return Only::none;
  if (step.function == Function::copy && count == 1 && inputs_[0].type == Type::float32) return Only::copy;
  if (step.function == Function::relu && count == 1) return Only::relu;
  if (step.function == Function::gate && step.b == 1 && count == 2 && isWhole(1, Type::bfloat16)) return Only::gate;
  return Only::none;
}

/// A relu or a gate that is computed last need no pass of their own where the result is rounded to bfloat16.
void Expression::splitEnding() {
  if (outputs_.size() != 1 || outputs_[0].type != Type::bfloat16 || code_.size() < 2 || code_.back().target != outputs_[0].value) return;
  const Instruction last = code_.back();
  if (last.function == Function::gate) {
    const auto reads = [&](const Instruction &step) { return step.a == last.b || step.b == last.b || step.c == last.b; };
    const bool isInput = last.b < int64_t(inputs_.size()) && last.a != last.b;
    if (!isInput || inputs_[last.b].type != Type::bfloat16 || inputs_[last.b].walk != Walk::whole) return;
    if (std::any_of(code_.begin(), code_.end() - 1, reads)) return;
    gate_ = last.b;
  } else if (last.function != Function::relu) return;
  ending_ = last.function == Function::relu ? Only::relu : Only::gate;
  outputs_[0].value = last.a;
  code_.pop_back();
}

int64_t Expression::blockAt(int64_t at, int64_t end) const {
  int64_t n = width_ <= BLOCK ? step_ : std::min(BLOCK, width_ - at % width_);
  return std::min(n, end - at);
}

/// Values that are the same in every block: constants, numbers, and short rows as often as they fit.
void Expression::prepare(char *const *inputs, float *scratch, float **values) const {
  const int64_t first = int64_t(inputs_.size()), constants = int64_t(constants_.size()) / BLOCK;
  for (int64_t i = 0; i < constants; i++) values[first + i] = const_cast<float *>(constants_.data()) + i * BLOCK;
  for (int64_t i = 0; i < values_; i++) {
    if (i >= first && i < first + constants) continue;
    values[i] = scratch + (i < first ? i : i - constants) * BLOCK;
  }
  const int64_t filled = std::min(elements_, BLOCK);
  for (int64_t i = 0; i < first; i++) {
    const Input &input = inputs_[i];
    if (input.walk == Walk::scalar) {
      convert(input.type, inputs[i], 0, values[i], 1);
      std::fill(values[i] + 1, values[i] + filled, values[i][0]);
    } else if (input.walk == Walk::column && width_ <= BLOCK) {
      convert(input.type, inputs[i], 0, values[i], width_);
      for (int64_t at = width_; at + width_ <= std::min(step_, elements_); at += width_)
        std::memcpy(values[i] + at, values[i], width_ * sizeof(float));
    }
  }
}

void Expression::load(char *const *inputs, float *scratch, float **values, int64_t at, int64_t n) const {
  for (size_t i = 0; i < inputs_.size(); i++) {
    const Input &input = inputs_[i];
    if (input.walk == Walk::scalar || (input.walk == Walk::column && width_ <= BLOCK)) continue;
    if (input.walk == Walk::whole) fetch<0>(inputs[i] + bytesOf(input.type, at + AHEAD), bytesOf(input.type, n));
    if (int64_t(i) == gate_) continue;
    const int64_t from = input.walk == Walk::column ? at % width_ : at;
    if (input.walk == Walk::general) loadGeneral(input, inputs[i], scratch + i * BLOCK, at, n);
    else if (input.type == Type::float32) values[i] = reinterpret_cast<float *>(inputs[i]) + from;
    else convert(input.type, inputs[i], from, scratch + i * BLOCK, n);
  }
}

/// Row by row, where the next row is a step further along some axis: a division is made for the first one only.
void Expression::loadGeneral(const Input &input, const char *from, float *to, int64_t at, int64_t n) const {
  const int64_t last = int64_t(sizes_.size()) - 1, stride = input.strides[last];
  int64_t places[MOST_AXES], offset = 0, begin = at % width_;
  for (int64_t axis = last - 1, rest = at / width_; axis >= 0; axis--) {
    places[axis] = rest % sizes_[axis];
    offset += places[axis] * input.strides[axis];
    rest /= sizes_[axis];
  }
  const auto next = [&] {
    for (int64_t axis = last - 1; axis >= 0; axis--) {
      offset += input.strides[axis];
      if (++places[axis] < sizes_[axis]) break;
      offset -= input.strides[axis] * sizes_[axis];
      places[axis] = 0;
    }
  };
  for (int64_t done = 0; done < n; begin = 0) {
    // whole rows of a number each, up to where the axis before them ends
    if (stride == 0 && begin == 0 && last > 0 && input.type == Type::float32 && n - done >= width_) {
      const int64_t step = input.strides[last - 1], rows = std::min((n - done) / width_, sizes_[last - 1] - places[last - 1]);
      loops().repeat(reinterpret_cast<const float *>(from) + offset, step, rows, width_, to + done);
      done += rows * width_;
      places[last - 1] += rows - 1;
      offset += (rows - 1) * step;
      next();
      continue;
    }
    const int64_t count = std::min(width_ - begin, n - done);
    if (stride == 1) convert(input.type, from, offset + begin, to + done, count);
    else if (stride == 0) {
      convert(input.type, from, offset, to + done, 1);
      std::fill(to + done + 1, to + done + count, to[done]);
    } else {
      for (int64_t i = 0; i < count; i++) convert(input.type, from, offset + (begin + i) * stride, to + done + i, 1);
    }
    done += count;
    next();
  }
}

void Expression::run(char *const *inputs, char *const *outputs, float *scratch, int64_t begin, int64_t end) const {
  if (only_ != Only::none) return runOnly(inputs, reinterpret_cast<uint16_t *>(outputs[0]), begin, end);
  float *values[MOST_VALUES];
  prepare(inputs, scratch, values);
  for (int64_t at = begin; at < end;) {
    const int64_t n = blockAt(at, end);
    load(inputs, scratch, values, at, n);
    for (size_t i = 0; i < outputs_.size() && !isStreamed_; i++)
      fetch<1>(outputs[i] + bytesOf(outputs_[i].type, at + AHEAD), bytesOf(outputs_[i].type, n));
    if (isDirect_) values[outputs_[0].value] = reinterpret_cast<float *>(outputs[0]) + at;
    loops().interpret(code_.data(), int64_t(code_.size()), values, n);
    if (!isDirect_) {
      if (ending_ == Only::none)
        for (size_t i = 0; i < outputs_.size(); i++) store(outputs_[i], outputs[i], values, at, n);
      else storeEnded(inputs, reinterpret_cast<uint16_t *>(outputs[0]) + at, values, at, n);
    }
    at += n;
  }
}

void Expression::storeEnded(char *const *inputs, uint16_t *to, float *const *values, int64_t at, int64_t n) const {
  const float *from = values[outputs_[0].value];
  if (ending_ == Only::relu) loops().bfloat16FromRelu(from, to, n);
  else loops().bfloat16FromGated(from, reinterpret_cast<const uint16_t *>(inputs[gate_]) + at, to, n);
}

void Expression::runOnly(char *const *inputs, uint16_t *y, int64_t begin, int64_t end) const {
  const bool isLow = inputs_[0].type == Type::bfloat16;
  const uint16_t *low = reinterpret_cast<uint16_t *>(inputs[0]),
                 *gate = only_ == Only::gate ? reinterpret_cast<uint16_t *>(inputs[1]) : nullptr;
  const float *full = reinterpret_cast<float *>(inputs[0]);
  const int64_t bytes = bytesOf(inputs_[0].type);
  for (int64_t at = begin; at < end; at += BLOCK) {
    const int64_t n = std::min(BLOCK, end - at);
    fetch<0>(inputs[0] + (at + AHEAD) * bytes, n * bytes);
    if (gate) fetch<0>(inputs[1] + (at + AHEAD) * 2, n * 2);
    if (only_ == Only::copy) loops().bfloat16FromFloats(full + at, y + at, n);
    else if (only_ == Only::relu) isLow ? loops().reluBfloat16(low + at, y + at, n) : loops().bfloat16FromRelu(full + at, y + at, n);
    else isLow ? loops().gateBfloat16(low + at, gate + at, y + at, n) : loops().bfloat16FromGated(full + at, gate + at, y + at, n);
  }
}

void Expression::store(const Output &output, char *to, float *const *values, int64_t at, int64_t n) const {
  const float *from = values[output.value];
  if (output.type == Type::bfloat16) loops().bfloat16FromFloats(from, reinterpret_cast<uint16_t *>(to) + at, n);
  else if (isStreamed_) loops().stream(from, reinterpret_cast<float *>(to) + at, n);
  else std::memmove(reinterpret_cast<float *>(to) + at, from, n * sizeof(float));
}

Tail::Tail(const Fields &fields, Operation &owner, int64_t elements, Type source, Type type) : source_(source) {
  if (!fields.has("tail")) return;
  expression_ = std::make_unique<Expression>(fields.object("tail"));
  const bool fits = expression_->elements() == elements && expression_->outputs().size() == 1 && expression_->outputs()[0].type == type &&
                    !expression_->inputs().empty() && expression_->inputs()[0].type == source &&
                    expression_->inputs()[0].walk == Expression::Walk::whole;
  if (!fits) throw fields.wrong("tail", "an expression over the result");
  first_ = owner.operandBytes.size();
  for (size_t i = 1; i < expression_->inputs().size(); i++) {
    const Expression::Input &input = expression_->inputs()[i];
    owner.operandBytes.push_back(bytesOf(input.type, input.elements));
  }
  owner.scratchFloats = std::max(owner.scratchFloats, expression_->scratchFloats());
}

void Tail::bind(const std::vector<char *> &operands, char *result) {
  if (!expression_) return;
  inputs_.assign(1, result);
  inputs_.insert(inputs_.end(), operands.begin() + first_, operands.begin() + first_ + expression_->inputs().size() - 1);
  output_ = result;
}

void Tail::run(float *scratch, int64_t begin, int64_t end) const {
  if (expression_) expression_->run(inputs_.data(), &output_, scratch, begin, end);
}

void Tail::run(const Team &team, int64_t begin, int64_t end) const {
  if (!expression_) return;
  const int64_t step = expression_->step(), grain = (GRAIN + step - 1) / step * step;
  inPieces(
      team, end - begin, grain,
      [&](int64_t from, int64_t to, int thread) {
        expression_->run(inputs_.data(), &output_, team.scratch[thread], begin + from, begin + to);
      },
      SHARED);
}

// elements are counted from the first of all: from there, the source would begin so much earlier
static char *beginOf(char *source, Type type, int64_t element) {
  return reinterpret_cast<char *>(reinterpret_cast<intptr_t>(source) - bytesOf(type, element));
}
void Tail::runFrom(char *source, const Team &team, int64_t begin, int64_t end) {
  inputs_[0] = beginOf(source, source_, begin);
  run(team, begin, end);
}
void Tail::runFrom(char *source, float *scratch, int64_t begin, int64_t end) const {
  char *inputs[Expression::MOST_INPUTS];
  std::copy(inputs_.begin(), inputs_.end(), inputs);
  inputs[0] = beginOf(source, source_, begin);
  expression_->run(inputs, &output_, scratch, begin, end);
}

namespace {

class Elementwise : public Operation {
 public:
  explicit Elementwise(const Fields &fields) : Operation(fields.where()), expression_(fields) {
    for (const Expression::Input &input : expression_.inputs()) operandBytes.push_back(bytesOf(input.type, input.elements));
    for (const Expression::Output &output : expression_.outputs()) operandBytes.push_back(bytesOf(output.type, expression_.elements()));
    isConditional_ = fields.flag("conditional");
    if (isConditional_) operandBytes.push_back(4);
    scratchFloats = expression_.scratchFloats();
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }
  void run(const Team &team) override {
    // everything stays as it is where the last operand is 0
    if (isConditional_ && *reinterpret_cast<const float *>(operands_.back()) == 0) return;
    const int64_t step = expression_.step(), grain = (GRAIN + step - 1) / step * step;
    char *const *inputs = operands_.data(), *const *outputs = inputs + expression_.inputs().size();
    inPieces(
        team, expression_.elements(), grain,
        [&](int64_t from, int64_t to, int thread) { expression_.run(inputs, outputs, team.scratch[thread], from, to); }, SHARED);
  }

 private:
  Expression expression_;
  bool isConditional_;
  std::vector<char *> operands_;
};

/// Sums over [outer, count, inner] along the middle, of the first `sums` results of an expression: chunks that depend only on the sizes,
/// added in their order. The expression's other results are stored. Operands: inputs, sums, parts, what is stored.
class Sum : public Operation {
 public:
  explicit Sum(const Fields &fields) : Operation(fields.where()), expression_(fields.object("head")) {
    outer_ = fields.integer("outer", 1, MOST);
    count_ = fields.integer("count", 1, MOST);
    inner_ = fields.integer("inner", 1, MOST);
    if (product({outer_, count_, inner_}, where) != expression_.elements()) throw fields.wrong("outer", "sizes of the whole");
    sums_ = fields.integer("sums", 1, int64_t(expression_.outputs().size()));
    for (int64_t i = 0; i < sums_; i++)
      if (expression_.outputs()[size_t(i)].type != Type::float32) throw fields.wrong("head", "an expression with sums in float32");
    // pieces begin where rows do, so that operands of one row fit
    const int64_t width = expression_.width(), row = inner_ < width && width <= BLOCK ? width / inner_ : 1;
    const int64_t unit = expression_.unit();
    if (outer_ > 1 && (count_ * inner_) % unit != 0) throw fields.wrong("outer", "rows that operands follow");
    wide_ = inner_ >= WIDE && inner_ % unit == 0 ? WIDE / unit * unit : 0;
    chunk_ = wide_ ? count_ : std::min(count_, std::max(row, GRAIN / inner_ / row * row));
    chunks_ = (count_ + chunk_ - 1) / chunk_;
    for (const Expression::Input &input : expression_.inputs()) operandBytes.push_back(bytesOf(input.type, input.elements));
    first_ = expression_.inputs().size();
    operandBytes.insert(operandBytes.end(), size_t(sums_), outer_ * inner_ * 4);
    operandBytes.push_back(product({sums_, partials()}, where) * 4);
    for (size_t i = size_t(sums_); i < expression_.outputs().size(); i++)
      operandBytes.push_back(bytesOf(expression_.outputs()[i].type, expression_.elements()));
    // the tiles into which rows are added, one a sum; of wide rows also what is added in double
    tile_ = inner_ < BLOCK ? BLOCK / inner_ * inner_ : inner_;
    isShort_ = inner_ == 1 && count_ <= BLOCK;
    isSmall_ = count_ <= FEW && count_ * inner_ <= BLOCK;
    scratchFloats = expression_.scratchFloats() + product({sums_, std::max<int64_t>(wide_ ? 3 * WIDE : tile_, 2)}, where);
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    targets_.clear();
    for (int64_t sum = 0; sum < sums_; sum++)
      targets_.push_back(reinterpret_cast<float *>(chunks_ == 1 ? operands_[first_ + sum] : operands_[first_ + sums_]) +
                         (chunks_ == 1 ? 0 : sum * partials()));
  }

  void run(const Team &team) override {
    if (isShort_) {
      inPieces(team, outer_, std::max<int64_t>(1, GRAIN / count_),
               [&](int64_t from, int64_t to, int thread) { alongShort(team.scratch[thread], from, to); });
      return;
    }
    if (isSmall_) {
      inPieces(team, outer_, std::max<int64_t>(1, GRAIN / (count_ * inner_)),
               [&](int64_t from, int64_t to, int thread) { acrossSmall(team.scratch[thread], from, to); });
      return;
    }
    if (wide_) {
      const int64_t parts = (inner_ + wide_ - 1) / wide_;
      inPieces(team, outer_ * parts, std::max<int64_t>(1, GRAIN / (count_ * wide_)), [&](int64_t from, int64_t to, int thread) {
        for (int64_t piece = from; piece < to; piece++) acrossWide(team.scratch[thread], piece / parts, piece % parts * wide_);
      });
      return;
    }
    const int64_t pieces = outer_ * chunks_, work = chunk_ * inner_;
    inPieces(team, pieces, std::max<int64_t>(1, GRAIN / work), [&](int64_t from, int64_t to, int thread) {
      for (int64_t piece = from; piece < to; piece++) {
        const int64_t o = piece / chunks_, c = piece % chunks_;
        const int64_t begin = (o * count_ + c * chunk_) * inner_;
        const int64_t end = begin + (std::min((c + 1) * chunk_, count_) - c * chunk_) * inner_;
        if (inner_ == 1) along(team.scratch[thread], begin, end, piece);
        else across(team.scratch[thread], begin, end, piece);
      }
    });
    if (chunks_ == 1) return;
    for (int64_t sum = 0; sum < sums_; sum++) {
      const float *parts = targets_[sum];
      float *y = reinterpret_cast<float *>(operands_[first_ + sum]);
      const int64_t blocks = (inner_ + BLOCK - 1) / BLOCK;
      inPieces(team, outer_ * blocks, std::max<int64_t>(1, GRAIN / BLOCK / chunks_), [&](int64_t from, int64_t to, int) {
        for (int64_t block = from; block < to; block++) {
          const int64_t o = block / blocks, begin = block % blocks * BLOCK, n = std::min(BLOCK, inner_ - begin);
          double totals[BLOCK] = {};
          for (int64_t c = 0; c < chunks_; c++) loops().accumulateDoubles(totals, parts + (o * chunks_ + c) * inner_ + begin, n);
          for (int64_t i = 0; i < n; i++) y[o * inner_ + begin + i] = float(totals[i]);
        }
      });
    }
  }

 private:
  Expression expression_;
  /// As many rows are added in float32, before or without a sum in double; rows of so many columns are wide.
  static constexpr int64_t FEW = 16, WIDE = 4 * BLOCK;

  int64_t outer_, count_, inner_, sums_, chunk_, chunks_, tile_;
  int64_t wide_;  // columns at a time of wide rows; 0 where rows are not
  bool isShort_, isSmall_;
  size_t first_;
  std::vector<char *> operands_;
  std::vector<float *> targets_;  // of each sum: the result, or the parts of it

  int64_t partials() const { return chunks_ == 1 ? 0 : outer_ * chunks_ * inner_; }
  template <typename Visit>
  void each(float *scratch, int64_t begin, int64_t end, Visit visit) const {
    expression_.each(operands_.data(), sums_, operands_.data() + first_ + sums_ + 1, scratch, begin, end, visit);
  }

  /// Rows [from, to), each as long as a block at most; one that two blocks share is the sum of two.
  void alongShort(float *scratch, int64_t from, int64_t to) const {
    for (float *target : targets_) std::fill(target + from, target + to, 0.0f);
    each(scratch, from * count_, to * count_, [&](int64_t at, int64_t n, int64_t sum, const float *x) {
      int64_t row = at / count_, begin = at % count_;
      for (int64_t done = 0; done < n; begin = 0) {
        const int64_t rows = begin == 0 ? (n - done) / count_ : 0, rest = std::min(count_ - begin, n - done);
        if (rows > 0) loops().rowTotals(x + done, rows, count_, targets_[sum] + row);
        else targets_[sum][row] += loops().total(x + done, rest);
        done += rows > 0 ? rows * count_ : rest;
        row += std::max<int64_t>(rows, 1);
      }
    });
  }
  void along(float *scratch, int64_t begin, int64_t end, int64_t piece) const {
    double *totals = reinterpret_cast<double *>(scratch + expression_.scratchFloats());
    std::fill(totals, totals + sums_, 0.0);
    each(scratch, begin, end, [&](int64_t, int64_t n, int64_t sum, const float *x) { totals[sum] += loops().total(x, n); });
    for (int64_t sum = 0; sum < sums_; sum++) targets_[sum][piece] = float(totals[sum]);
  }
  /// Groups [from, to) of a few rows, which fit into a block; of one that two blocks share, row by row.
  void acrossSmall(float *scratch, int64_t from, int64_t to) const {
    const int64_t group = count_ * inner_;
    for (float *target : targets_) std::fill(target + from * inner_, target + to * inner_, 0.0f);
    each(scratch, from * group, to * group, [&](int64_t at, int64_t n, int64_t sum, const float *x) {
      for (int64_t done = 0; done < n;) {
        const int64_t o = (at + done) / group, begin = (at + done) % group, groups = begin == 0 ? (n - done) / group : 0;
        float *target = targets_[sum] + o * inner_;
        if (groups > 0) loops().groupSums(x + done, groups, count_, inner_, target);
        const int64_t column = begin % inner_, count = groups > 0 ? groups * group : std::min(inner_ - column, n - done);
        if (groups == 0) loops().accumulate(target + column, x + done, count);
        done += count;
      }
    });
  }
  /// Some columns of wide rows: a few rows in float32, these sums in double where there are several.
  void acrossWide(float *scratch, int64_t o, int64_t first) const {
    float *tiles = scratch + expression_.scratchFloats();
    double *totals = reinterpret_cast<double *>(tiles + sums_ * WIDE);
    const int64_t columns = std::min(wide_, inner_ - first), all = sums_ * WIDE;
    std::fill(tiles, tiles + all, 0.0f);
    if (count_ > FEW) std::fill(totals, totals + all, 0.0);
    for (int64_t row = 0; row < count_; row++) {
      if (row > 0 && row % FEW == 0) {
        loops().accumulateDoubles(totals, tiles, all);
        std::fill(tiles, tiles + all, 0.0f);
      }
      const int64_t begin = (o * count_ + row) * inner_ + first;
      each(scratch, begin, begin + columns,
           [&](int64_t at, int64_t n, int64_t sum, const float *x) { loops().accumulate(tiles + sum * WIDE + at - begin, x, n); });
    }
    if (count_ > FEW) {
      loops().accumulateDoubles(totals, tiles, all);
      for (int64_t i = 0; i < all; i++) tiles[i] = float(totals[i]);
    }
    for (int64_t sum = 0; sum < sums_; sum++) std::memcpy(targets_[sum] + o * inner_ + first, tiles + sum * WIDE, columns * sizeof(float));
  }
  /// Element i goes to column i % inner; blocks that begin in a column continue in the tile where they would lie.
  void across(float *scratch, int64_t begin, int64_t end, int64_t piece) const {
    float *tiles = scratch + expression_.scratchFloats();
    std::fill(tiles, tiles + sums_ * tile_, 0.0f);
    each(scratch, begin, end, [&](int64_t at, int64_t n, int64_t sum, const float *x) {
      float *tile = tiles + sum * tile_;
      int64_t column = (at - begin) % tile_;
      for (int64_t done = 0; done < n;) {
        const int64_t count = std::min(tile_ - column, n - done);
        loops().accumulate(tile + column, x + done, count);
        done += count;
        column = 0;
      }
    });
    for (int64_t sum = 0; sum < sums_; sum++) {
      float *tile = tiles + sum * tile_;
      // the lower half of the rows onto the upper, and again
      for (int64_t rows = tile_ / inner_; rows > 1; rows -= rows / 2) {
        const int64_t half = rows / 2;
        loops().accumulate(tile, tile + (rows - half) * inner_, half * inner_);
      }
      std::memcpy(targets_[sum] + piece * inner_, tile, inner_ * sizeof(float));
    }
  }
};

}  // namespace

std::shared_ptr<Operation> makeElementwise(const Fields &fields) { return std::make_shared<Elementwise>(fields); }
std::shared_ptr<Operation> makeSum(const Fields &fields) { return std::make_shared<Sum>(fields); }

}  // namespace fovea
