// The operations that are a loop or two: movement, indexing, extremes, softmax, random numbers.
#include "simple.hpp"

#include <algorithm>

#include "vector.hpp"

namespace fovea {
namespace {

/// An operation whose operands are simply kept.
class Simple : public Operation {
 public:
  using Operation::Operation;
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }

 protected:
  std::vector<char *> operands_;
  template <typename T>
  T *at(size_t operand) const {
    return reinterpret_cast<T *>(operands_[operand]);
  }
};

/// One past the last element that strides reach from `offset`.
int64_t reachOf(const Sizes &sizes, const Sizes &strides, int64_t offset, const Fields &fields) {
  int64_t reach = offset + 1;
  for (size_t axis = 0; axis < sizes.size(); axis++) {
    if (sizes[axis] > 1 && strides[axis] > MOST / sizes[axis]) throw Fault("E_LIMIT", fields.where(), "the tensor is too large");
    reach += (sizes[axis] - 1) * strides[axis];
  }
  return reach;
}

/// y[offset + index . target] = x[offset + index . source] for every index of `sizes`: transposes, slices, repeats, parts. once?
class Copy : public Simple {
 public:
  explicit Copy(const Fields &fields) : Simple(fields.where()) {
    bytes_ = bytesOf(typeOf(fields, "dtype"));
    sizes_ = fields.integers("sizes", 1, MOST);
    source_ = fields.integers("source", 0, MOST);
    target_ = fields.integers("target", 0, MOST);
    if (sizes_.empty() || source_.size() != sizes_.size() || target_.size() != sizes_.size())
      throw fields.wrong("sizes", "an entry an axis, as 'source' and 'target'");
    sourceOffset_ = fields.integer("sourceOffset", 0, MOST);
    targetOffset_ = fields.integer("targetOffset", 0, MOST);
    isOnce = fields.flag("once");
    const int64_t elements = product(sizes_, where), reach = reachOf(sizes_, target_, targetOffset_, fields);
    if (reach - targetOffset_ < elements) throw fields.wrong("target", "a place for every element");
    operandBytes = {reachOf(sizes_, source_, sourceOffset_, fields) * bytes_, reach * bytes_};
  }
  void run(const Team &team) override {
    // a long row is several pieces
    const int64_t width = sizes_.back(), parts = (width + GRAIN - 1) / GRAIN, pieces = product(sizes_, where) / width * parts;
    const int64_t outer = int64_t(sizes_.size()) - 1;
    inPieces(team, pieces, std::max<int64_t>(1, GRAIN / width), [&](int64_t from, int64_t to, int) {
      int64_t x = sourceOffset_, y = targetOffset_, part = from % parts;
      Sizes places(size_t(outer), 0);
      for (int64_t axis = outer - 1, rest = from / parts; axis >= 0; axis--) {
        places[axis] = rest % sizes_[axis];
        rest /= sizes_[axis];
        x += places[axis] * source_[axis];
        y += places[axis] * target_[axis];
      }
      for (int64_t piece = from; piece < to; piece++) {
        const int64_t begin = part * GRAIN, length = std::min(GRAIN, width - begin);
        const int64_t source = x + begin * source_.back(), target = y + begin * target_.back();
        if (bytes_ == 4) copyRow<uint32_t>(source, target, length);
        else if (bytes_ == 2) copyRow<uint16_t>(source, target, length);
        else copyRow<uint8_t>(source, target, length);
        if (++part < parts) continue;
        part = 0;
        // the next row is a step further along some axis: with a division for each, rows of three floats took three times as long
        for (int64_t axis = outer - 1; axis >= 0; axis--) {
          x += source_[axis];
          y += target_[axis];
          if (++places[axis] < sizes_[axis]) break;
          x -= source_[axis] * sizes_[axis];
          y -= target_[axis] * sizes_[axis];
          places[axis] = 0;
        }
      }
    });
  }

 private:
  int64_t bytes_, sourceOffset_, targetOffset_;
  Sizes sizes_, source_, target_;

  template <typename T>
  void copyRow(int64_t x, int64_t y, int64_t width) const {
    const T *from = at<T>(0) + x;
    T *to = at<T>(1) + y;
    const int64_t source = source_.back(), target = target_.back();
    if (source == 1 && target == 1 && width > 8) std::memmove(to, from, width * sizeof(T));
    else if (source == 0 && target == 1) std::fill(to, to + width, *from);
    else
      for (int64_t i = 0; i < width; i++) to[i * target] = from[i * source];
  }
};

/// A tensor of one number.
class Fill : public Simple {
 public:
  explicit Fill(const Fields &fields) : Simple(fields.where()) {
    type_ = typeOf(fields, "dtype");
    value_ = fields.number("value");
    const bool isWhole = type_ == Type::int32 || type_ == Type::uint8;
    if (isWhole && !(value_ >= INT32_MIN && value_ <= INT32_MAX)) throw fields.wrong("value", "a number that an int32 holds");
    elements_ = fields.integer("elements", 1, MOST);
    operandBytes = {elements_ * bytesOf(type_)};
  }
  void run(const Team &team) override {
    inPieces(team, elements_, GRAIN, [&](int64_t from, int64_t to, int) {
      if (type_ == Type::float32) std::fill(at<float>(0) + from, at<float>(0) + to, float(value_));
      else if (type_ == Type::int32) std::fill(at<int32_t>(0) + from, at<int32_t>(0) + to, int32_t(value_));
      else if (type_ == Type::uint8) std::fill(at<uint8_t>(0) + from, at<uint8_t>(0) + to, uint8_t(int32_t(value_)));
      else {
        uint16_t low;
        const float value = float(value_);
        loops().bfloat16FromFloats(&value, &low, 1);
        std::fill(at<uint16_t>(0) + from, at<uint16_t>(0) + to, low);
      }
    });
  }

 private:
  Type type_;
  double value_;
  int64_t elements_;
};

/// Largest value, or its first place, over the middle of [outer, count, inner].
class Extreme : public Simple {
 public:
  explicit Extreme(const Fields &fields) : Simple(fields.where()) {
    outer_ = fields.integer("outer", 1, MOST);
    count_ = fields.integer("count", 1, MOST);
    inner_ = fields.integer("inner", 1, MOST);
    isPlace_ = fields.flag("place");
    type_ = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    operandBytes = {product({outer_, count_, inner_}, where) * bytesOf(type_), outer_ * inner_ * 4};
  }
  void run(const Team &team) override {
    if (inner_ >= 4) return runStrips(team);
    inPieces(team, outer_ * inner_, std::max<int64_t>(1, GRAIN / count_), [&](int64_t from, int64_t to, int) {
      for (int64_t i = from; i < to; i++) {
        const int64_t first = i / inner_ * count_ * inner_ + i % inner_;
        float most = read(first);
        int32_t place = 0;
        for (int64_t k = 1; k < count_; k++) {
          const float one = read(first + k * inner_);
          if (one > most || (one != one && !isPlace_)) most = one, place = int32_t(k);
          if (most != most && !isPlace_) break;
        }
        if (isPlace_) at<int32_t>(1)[i] = place;
        else at<float>(1)[i] = most;
      }
    });
  }

 private:
  int64_t outer_, count_, inner_;
  bool isPlace_;
  Type type_;

  /// Columns side by side, from row to row: reads follow each other, and the compiler makes vectors of them.
  void runStrips(const Team &team) {
    constexpr int64_t STRIP = 64;
    const int64_t strips = (inner_ + STRIP - 1) / STRIP;
    inPieces(team, outer_ * strips, std::max<int64_t>(1, GRAIN / STRIP / count_), [&](int64_t from, int64_t to, int) {
      for (int64_t strip = from; strip < to; strip++) {
        const int64_t column = strip % strips * STRIP, width = std::min(STRIP, inner_ - column);
        const int64_t first = strip / strips * count_ * inner_ + column;
        float most[STRIP], low[STRIP];
        int32_t places[STRIP] = {};
        std::copy_n(row(first, low, width), width, most);
        for (int64_t k = 1; k < count_; k++) {
          const float *x = row(first + k * inner_, low, width);
          if (isPlace_)
            for (int64_t i = 0; i < width; i++) {
              const bool isMore = x[i] > most[i];
              most[i] = isMore ? x[i] : most[i];
              places[i] = isMore ? int32_t(k) : places[i];
            }
          else  // NaN stays: nothing is more, and it is not equal to itself
            for (int64_t i = 0; i < width; i++) most[i] = x[i] > most[i] || x[i] != x[i] ? x[i] : most[i];
        }
        const int64_t y = strip / strips * inner_ + column;
        if (isPlace_) std::copy_n(places, width, at<int32_t>(1) + y);
        else std::copy_n(most, width, at<float>(1) + y);
      }
    });
  }
  const float *row(int64_t first, float *low, int64_t width) const {
    if (type_ == Type::float32) return at<float>(0) + first;
    loops().floatsFromBfloat16(at<uint16_t>(0) + first, low, width);
    return low;
  }
  float read(int64_t i) const {
    if (type_ == Type::float32) return at<float>(0)[i];
    float value;
    loops().floatsFromBfloat16(at<uint16_t>(0) + i, &value, 1);
    return value;
  }
};

class Softmax : public Simple {
 public:
  explicit Softmax(const Fields &fields) : Simple(fields.where()) {
    rows_ = fields.integer("rows", 1, MOST);
    width_ = fields.integer("width", 1, MOST);
    isLogarithm_ = fields.flag("logarithm");
    isLow_ = typeOf(fields, "dtype", {Type::float32, Type::bfloat16}) == Type::bfloat16;
    const int64_t bytes = product({rows_, width_, 4}, where);
    operandBytes = {isLow_ ? bytes / 2 : bytes, bytes};
    if (isLow_) scratchFloats = width_;
  }
  void run(const Team &team) override {
    inPieces(team, rows_, std::max<int64_t>(1, GRAIN / 8 / width_), [&](int64_t from, int64_t to, int thread) {
      for (int64_t row = from; row < to; row++) {
        float *x = isLow_ ? team.scratch[thread] : at<float>(0) + row * width_;
        if (isLow_) loops().floatsFromBfloat16(at<uint16_t>(0) + row * width_, x, width_);
        loops().softmaxRow(x, at<float>(1) + row * width_, width_, isLogarithm_);
      }
    });
  }

 private:
  int64_t rows_, width_;
  bool isLogarithm_, isLow_;
};

/// Rows of a table by number; a number outside it reads zeros.
class Gather : public Simple {
 public:
  explicit Gather(const Fields &fields) : Simple(fields.where()) {
    rows_ = fields.integer("rows", 1, MOST);
    width_ = fields.integer("width", 1, MOST);
    count_ = fields.integer("count", 1, MOST);
    operandBytes = {product({rows_, width_, 4}, where), count_ * 4, product({count_, width_, 4}, where)};
  }
  void run(const Team &team) override {
    inPieces(team, count_, std::max<int64_t>(1, GRAIN / width_), [&](int64_t from, int64_t to, int) {
      for (int64_t i = from; i < to; i++) {
        const int32_t row = at<int32_t>(1)[i];
        float *y = at<float>(2) + i * width_;
        if (row >= 0 && row < rows_) std::memcpy(y, at<float>(0) + row * width_, width_ * 4);
        else std::fill(y, y + width_, 0.0f);
      }
    });
  }

 private:
  int64_t rows_, width_, count_;
};

/// Adds row i to row indices[i] of a table of zeros, in the order of i; threads share the columns.
class GatherGradient : public Simple {
 public:
  explicit GatherGradient(const Fields &fields) : Simple(fields.where()) {
    rows_ = fields.integer("rows", 1, MOST);
    width_ = fields.integer("width", 1, MOST);
    count_ = fields.integer("count", 1, MOST);
    operandBytes = {product({count_, width_, 4}, where), count_ * 4, product({rows_, width_, 4}, where)};
  }
  void run(const Team &team) override {
    inPieces(team, width_, 64, [&](int64_t from, int64_t to, int) {
      for (int64_t row = 0; row < rows_; row++) std::fill(at<float>(2) + row * width_ + from, at<float>(2) + row * width_ + to, 0.0f);
      for (int64_t i = 0; i < count_; i++) {
        const int32_t row = at<int32_t>(1)[i];
        if (row >= 0 && row < rows_) loops().accumulate(at<float>(2) + row * width_ + from, at<float>(0) + i * width_ + from, to - from);
      }
    });
  }

 private:
  int64_t rows_, width_, count_;
};

class OneHot : public Simple {
 public:
  explicit OneHot(const Fields &fields) : Simple(fields.where()) {
    count_ = fields.integer("count", 1, MOST);
    depth_ = fields.integer("depth", 1, MOST);
    operandBytes = {count_ * 4, product({count_, depth_, 4}, where)};
  }
  void run(const Team &team) override {
    inPieces(team, count_, std::max<int64_t>(1, GRAIN / depth_), [&](int64_t from, int64_t to, int) {
      for (int64_t i = from; i < to; i++) {
        float *y = at<float>(1) + i * depth_;
        std::fill(y, y + depth_, 0.0f);
        const int32_t index = at<int32_t>(0)[i];
        if (index >= 0 && index < depth_) y[index] = 1;
      }
    });
  }

 private:
  int64_t count_, depth_;
};

/// Operand 0 is the key: seed low, seed high, step, the first row's place in the global batch. Where there is a bound `atLeast`, the
/// result is a byte each: does the number reach it?
class Random : public Simple {
 public:
  explicit Random(const Fields &fields) : Simple(fields.where()) {
    elements_ = fields.integer("elements", 1, MOST);
    rowSize_ = fields.integer("rowSize", 1, MOST);
    stream_ = uint32_t(fields.integer("stream", 0, 0xffffffffll));
    isNormal_ = fields.flag("normal");
    isMask_ = fields.has("atLeast");
    if (isMask_) atLeast_ = float(fields.number("atLeast"));
    operandBytes = {16, elements_ * (isMask_ ? 1 : 4)};
    if (isMask_) scratchFloats = GRAIN;
  }
  void run(const Team &team) override {
    const uint32_t *words = at<uint32_t>(0);
    const RandomKey key{words[0], words[1], words[2], stream_};
    const uint64_t first = uint64_t(words[3]) * uint64_t(rowSize_);
    const auto fill = isNormal_ ? loops().normal : loops().uniform;
    inPieces(team, elements_, GRAIN, [&](int64_t from, int64_t to, int thread) {
      float *numbers = isMask_ ? team.scratch[thread] : at<float>(1) + from;
      fill(key, first + uint64_t(from), numbers, to - from);
      if (isMask_) loops().reach(atLeast_, numbers, at<uint8_t>(1) + from, to - from);
    });
  }

 private:
  int64_t elements_, rowSize_;
  uint32_t stream_;
  float atLeast_ = 0;
  bool isNormal_, isMask_;
};

/// Lets tensors take what is in their shadows, where the operand is not 0.
class Commit : public Simple {
 public:
  explicit Commit(const Fields &fields) : Simple(fields.where()) { operandBytes = {4}; }
  void run(const Team &) override {}
  bool isCommitted() const override { return *at<float>(0) != 0; }
};

template <typename T>
std::shared_ptr<Operation> make(const Fields &fields) {
  return std::make_shared<T>(fields);
}

}  // namespace

const std::map<std::string, OperationMaker> simpleOperations = {
    {"copy", make<Copy>},       {"fill", make<Fill>},     {"extreme", make<Extreme>},
    {"softmax", make<Softmax>}, {"gather", make<Gather>}, {"gatherGradient", make<GatherGradient>},
    {"oneHot", make<OneHot>},   {"random", make<Random>}, {"commit", make<Commit>},
};

}  // namespace fovea
