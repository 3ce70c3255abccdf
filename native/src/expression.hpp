// Scalar expressions over tensors: a few hundred elements at a time go through a list of vector instructions, so that what
// lies between two of them stays in the first cache.
#pragma once

#include "operation.hpp"
#include "vector.hpp"

namespace fovea {

/// Elements that an instruction handles at once: 2 KB, of which a long expression keeps about ten.
constexpr int64_t BLOCK = 512;

class Expression {
 public:
  static constexpr size_t MOST_INPUTS = 256;
  /// How an input is walked while the result's elements are taken in order.
  enum class Walk { whole, scalar, column, general };
  struct Input {
    Type type;
    Walk walk;
    Sizes strides;  // of a general walk, an entry an axis of `sizes`
    int64_t elements;
  };
  struct Output {
    int32_t value;
    Type type;
  };

  /// fields: sizes, inputs [{ dtype, walk, strides?, elements }], constants, code [function, target, a, b, c ...], values,
  /// outputs [{ value, dtype }], streamed? (the outputs are not read soon).
  explicit Expression(const Fields &fields);

  const std::vector<Input> &inputs() const { return inputs_; }
  const std::vector<Output> &outputs() const { return outputs_; }
  int64_t elements() const { return elements_; }
  int64_t width() const { return width_; }
  int64_t scratchFloats() const { return values_ * BLOCK - int64_t(constants_.size()); }
  /// Elements that a call of `run` must begin at a multiple of: short rows, where one is used for all.
  int64_t unit() const;
  /// Elements that it had better begin and end at a multiple of.
  int64_t step() const { return step_; }

  /// Computes elements [begin, end) and stores the outputs; begin is a multiple of `unit`.
  void run(char *const *inputs, char *const *outputs, float *scratch, int64_t begin, int64_t end) const;
  /// Computes elements [begin, end) block by block and calls `visit(first, count, output, values)` with the first outputs; the
  /// others are stored.
  template <typename Visit>
  void each(char *const *inputs, int64_t visited, char *const *stored, float *scratch, int64_t begin, int64_t end, Visit visit) const {
    float *values[MOST_VALUES];
    prepare(inputs, scratch, values);
    for (int64_t at = begin; at < end;) {
      const int64_t n = blockAt(at, end);
      load(inputs, scratch, values, at, n);
      loops().interpret(code_.data(), int64_t(code_.size()), values, n);
      for (size_t i = size_t(visited); i < outputs_.size(); i++) store(outputs_[i], stored[i - size_t(visited)], values, at, n);
      for (int64_t i = 0; i < visited; i++) visit(at, n, i, values[outputs_[size_t(i)].value]);
      at += n;
    }
  }

 private:
  static constexpr int64_t MOST_VALUES = 4096;
  static constexpr size_t MOST_AXES = 32;
  enum class Only { none, copy, relu, gate };
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::vector<Instruction> code_;
  std::vector<float> constants_;  // each BLOCK times
  Sizes sizes_;
  int64_t elements_, width_, step_, values_;
  bool isDirect_ = false, isStreamed_ = false;
  Only only_ = Only::none, ending_ = Only::none;  // all there is, or what comes last
  int64_t gate_ = -1;                             // the input by which it is gated at the end

  Only onlyOf() const;
  void splitEnding();
  void storeEnded(char *const *inputs, uint16_t *to, float *const *values, int64_t at, int64_t n) const;
  void runOnly(char *const *inputs, uint16_t *y, int64_t begin, int64_t end) const;
  int64_t blockAt(int64_t at, int64_t end) const;
  void prepare(char *const *inputs, float *scratch, float **values) const;
  void load(char *const *inputs, float *scratch, float **values, int64_t at, int64_t n) const;
  void store(const Output &output, char *to, float *const *values, int64_t at, int64_t n) const;
  void loadGeneral(const Input &input, const char *from, float *to, int64_t at, int64_t n) const;
};

/// The bytes that an operand of so many elements has.
inline int64_t bytesOf(Type type, int64_t elements) { return bytesOf(type) * elements; }

/// What an expression does to the result of another operation: input 0 and output 0 are that result, the other inputs follow.
/// The result may be of another type than what becomes of it: then it is elsewhere.
class Tail {
 public:
  Tail(const Fields &fields, Operation &owner, int64_t elements, Type type) : Tail(fields, owner, elements, type, type) {}
  Tail(const Fields &fields, Operation &owner, int64_t elements, Type source, Type type);
  explicit operator bool() const { return expression_ != nullptr; }
  /// Elements that one may begin at a multiple of.
  int64_t unit() const { return expression_ ? expression_->unit() : 1; }
  void bind(const std::vector<char *> &operands, char *result);
  /// Elements [begin, end) of the result, in place.
  void run(float *scratch, int64_t begin, int64_t end) const;
  void run(const Team &team, int64_t begin, int64_t end) const;
  /// The same of a result whose element `begin` is at `source`.
  void runFrom(char *source, const Team &team, int64_t begin, int64_t end);
  void runFrom(char *source, float *scratch, int64_t begin, int64_t end) const;

 private:
  std::unique_ptr<Expression> expression_;
  Type source_;
  size_t first_ = 0;  // operand of the first extra
  std::vector<char *> inputs_;
  char *output_ = nullptr;
};

std::shared_ptr<Operation> makeElementwise(const Fields &fields);
std::shared_ptr<Operation> makeSum(const Fields &fields);

}  // namespace fovea
