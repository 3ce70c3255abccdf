// Convolutions by oneDNN, and their gradients.
#include <omp.h>

#include <algorithm>

#include "onednn-product.hpp"

namespace fovea::onednn {
namespace {

/// Rows follow each other, channels last: [n, c, ...spatial] as oneDNN names axes.
Desc channelsLast(const Dims &dims, Type type) {
  Dims strides(dims.size());
  int64_t step = dims[1];
  strides[1] = 1;
  for (size_t axis = dims.size() - 1; axis >= 2; axis--) {
    strides[axis] = step;
    step *= dims[axis];
  }
  strides[0] = step;
  return Desc(dims, dataType(type), strides);
}

Dims spatial(const Fields &fields, const char *name, size_t rank, int64_t least) {
  const Sizes sizes = fields.integers(name, least, LONGEST);
  if (sizes.size() != rank) throw fields.wrong(name, "one number a spatial axis");
  return Dims(sizes.begin(), sizes.end());
}

/// fields: of (forward, input, kernel), x and y [n, c, ...spatial], kernel [groups, filters, channels, ...window], strides,
/// dilation, before, after, dtype of x and kernel, result dtype, bias?, tail?, stored? (the tail's dtype, where it is another:
/// then the result is a part at a time, in an operand of its own, and what the tail makes of it follows the scratch), alone? (one
/// thread computes it).
class Convolution : public Product {
 public:
  explicit Convolution(const Fields &fields) : Product(fields.where()) {
    constexpr int64_t most = INT32_MAX;  // oneDNN counts along axes in int
    const Sizes x = fields.integers("x", 1, most), y = fields.integers("y", 1, most), k = fields.integers("kernel", 1, most);
    const size_t rank = x.size() - 2;
    if (x.size() < 3 || x.size() > 5 || y.size() != x.size() || k.size() != x.size() + 1) throw fields.wrong("x", "rank 1 to 3");
    strides_ = spatial(fields, "strides", rank, 1);
    dilation_ = spatial(fields, "dilation", rank, 1);
    before_ = spatial(fields, "before", rank, 0);
    after_ = spatial(fields, "after", rank, 0);
    groups_ = k[0];
    bool fits = x[0] == y[0] && x[1] == k[2] * groups_ && y[1] == k[1] * groups_;
    for (size_t i = 0; i < rank; i++) {
      const int64_t extent = (k[3 + i] - 1) * dilation_[i] + 1, room = x[2 + i] + before_[i] + after_[i] - extent;
      fits = fits && room >= 0 && room / strides_[i] + 1 == y[2 + i];
      after_[i] = (y[2 + i] - 1) * strides_[i] + extent - x[2 + i] - before_[i];  // what no window reaches is cut off
      isBeyond_ = isBeyond_ || before_[i] >= extent || after_[i] >= extent;
      dilation_[i] -= 1;
    }
    if (!fits) throw fields.wrong("y", "the shape of a convolution of x by kernel");
    product(x, where), product(y, where), product(k, where);
    type_ = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    const Type result = typeOf(fields, "result", {Type::float32, Type::bfloat16});
    const Type stored = fields.has("stored") ? typeOf(fields, "stored", {Type::bfloat16}) : result;
    isStored_ = stored != result;
    hasBias_ = fields.flag("bias");
    of_ = fields.text("of");
    if (of_ != "forward" && of_ != "input" && of_ != "kernel") throw fields.wrong("of", "forward, input or kernel");
    // 2.6.3's kernel gradients in bfloat16 (jit_bf16:avx512_core_bf16) sort the places of a row by what the stride leaves over; where
    // the stride is wider than the row, some kinds have no place, and what is read of them is scratch that nobody wrote. A single
    // window does not move: the least stride serves it. Several such windows need a border of their own, and are rare
    for (size_t i = 0; i < rank && of_ == "kernel"; i++)
      if (y[2 + i] == 1) strides_[i] = 1 + std::max<int64_t>(0, -after_[i]);
    needsZeros_ = of_ == "kernel" && strides_.back() > x.back();
    isTurned_ = of_ == "input" && fields.flag("turned");
    const bool isForward = of_ == "forward", isKernel = of_ == "kernel";
    images_ = x[0];
    const Sizes &whole = isForward ? y : x;
    imageElements_ = isKernel ? 0 : product(Sizes(whole.begin() + 1, whole.end()), where);
    chunk_ = !isKernel && fields.has("tail") ? chunkOf(imageElements_ * bytesOf(result)) : images_;
    resultBytes_ = bytesOf(result);

    Dims xd(x.begin(), x.end()), yd(y.begin(), y.end()), kd(k.begin(), k.end());
    xd[0] = yd[0] = chunk_;
    if (groups_ == 1) kd.erase(kd.begin());
    x_ = channelsLast(xd, of_ == "input" ? result : type_);
    y_ = channelsLast(yd, isForward ? result : type_);
    kernel_ = Desc(kd, dataType(isKernel ? Type::float32 : type_), memory::format_tag::any);
    bias_ = Desc({yd[1]}, memory::data_type::f32, memory::format_tag::a);
    // the plain layout [...window, channels, groups x filters]
    Dims steps(k.size());
    steps[0] = k[1], steps[1] = 1, steps[2] = k[1] * groups_;
    for (size_t axis = k.size() - 1, step = k[1] * groups_ * k[2]; axis >= 3; axis--) steps[axis] = step, step *= k[axis];
    if (groups_ == 1) steps.erase(steps.begin());
    plainDims_ = kd, plainSteps_ = steps;

    isAlone_ = fields.flag("alone");
    const Alone planned(isAlone_);
    guarded(where, [&] { isForward ? planForward() : isKernel ? planKernel() : isTurned_ ? planTurned() : planInput(); });
    if (isStored_ && (isKernel || !fields.has("tail"))) throw fields.wrong("stored", "what a tail makes");
    if (isStored_) operandBytes.push_back(bytesOf(stored, imageElements_ * images_));
    stored_ = operandBytes.size() - 1;
    if (!isKernel) tail_ = std::make_unique<Tail>(fields, *this, imageElements_ * images_, result, stored);
    needs.packed = isSame() ? 0 : int64_t(packed.get_size());
  }

  void bind(const std::vector<char *> &operands) override {
    Product::bind(operands);
    if (isStored_) tail_->bind(operands, operands[stored_]);
  }
  void run(const Team &team) override {
    if (needsZeros_) std::memset(operands_.back(), 0, size_t(needs.scratch));
    if (chunk_ == images_ && !isStored_) {
      execute();
      if (tail_) tail_->run(team, 0, imageElements_ * images_);
      return;
    }
    // a chunk's result is still in the second cache when its tail runs
    const size_t source = 0;
    const int64_t sourceBytes = operandBytes[source] / images_ * chunk_, targetBytes = imageElements_ * chunk_ * resultBytes_;
    for (int64_t at = 0; at < images_ / chunk_; at++) {
      memories_[source].second.set_data_handle(operands_[source] + at * sourceBytes);
      const int64_t begin = at * chunk_ * imageElements_, end = begin + chunk_ * imageElements_;
      if (!isStored_) memories_[result_].second.set_data_handle(operands_[result_] + at * targetBytes);
      execute();
      if (isStored_) tail_->runFrom(operands_[result_], team, begin, end);
      else tail_->run(team, begin, end);
    }
  }

 private:
  std::string of_;
  Dims strides_, dilation_, before_, after_, plainDims_, plainSteps_;
  int64_t groups_, images_, imageElements_, chunk_, resultBytes_;
  Type type_;
  bool hasBias_, isTurned_, isStored_, isAlone_;
  bool isBeyond_ = false;  // some window covers nothing of x
  bool needsZeros_;        // scratch is read before it is written
  size_t stored_;
  Desc x_, y_, kernel_, bias_;
  dnnl::convolution_forward::primitive_desc forward_;
  dnnl::convolution_backward_data::primitive_desc input_;
  dnnl::convolution_backward_weights::primitive_desc gradient_;

  /// The most images whose result fits the second caches, where that cuts the batch into even parts.
  int64_t chunkOf(int64_t imageBytes) const {
    constexpr int64_t CACHE = 1 << 20;  // a core
    const int64_t most = CACHE * omp_get_max_threads() / std::max<int64_t>(1, imageBytes), threads = omp_get_max_threads();
    if (most >= images_) return images_;
    for (int64_t chunk = most; chunk >= 2 * threads; chunk--)
      if (images_ % chunk == 0) return chunk;
    return images_;
  }
  bool isSame() const { return packed == plain && turned.empty(); }

  dnnl::convolution_forward::primitive_desc describeForward(const Desc &x, const Desc &kernel, const Desc &y, bool bias, const Dims &before,
                                                            const Dims &after, const Dims &strides) const {
    using Forward = dnnl::convolution_forward;
    const auto kind = dnnl::prop_kind::forward_training;
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const Forward::desc desc = bias ? Forward::desc(kind, algorithm, x, kernel, bias_, y, strides, dilation_, before, after)
                                    : Forward::desc(kind, algorithm, x, kernel, y, strides, dilation_, before, after);
    Forward::primitive_desc described(desc, attributes(), cpu());
    // 2.6.3 leaves its memory by AMX where a window lies behind the last row
    while (isBeyond_ && std::string(described.impl_info_str()).find("amx") != std::string::npos && described.next_impl()) {
    }
    return described;
  }

  template <typename Described>
  void note(const Described &described, const Desc &packedDesc) {
    packed = packedDesc;
    plain = Desc(plainDims_, memory::data_type(packed.data.data_type), plainSteps_);
    needs.scratch = int64_t(described.scratchpad_desc().get_size());
    implementation = described.impl_info_str();
  }
  /// Operands x (or dy), kernel, bias?, y (or dx), scratch.
  void layOut(const Desc &source, bool bias, const Desc &target, int sourceArgument, int targetArgument, const Desc &scratch) {
    add(sourceArgument, source, images_ / chunk_);
    add(DNNL_ARG_WEIGHTS, packed);
    if (bias) add(DNNL_ARG_BIAS, bias_);
    result_ = memories_.size();
    add(targetArgument, target, isStored_ ? 1 : images_ / chunk_);
    add(DNNL_ARG_SCRATCHPAD, scratch);
  }
  void planForward() {
    forward_ = describeForward(x_, kernel_, y_, hasBias_, before_, after_, strides_);
    note(forward_, forward_.weights_desc());
    layOut(x_, hasBias_, y_, DNNL_ARG_SRC, DNNL_ARG_DST, forward_.scratchpad_desc());
  }
  /// The descriptions of gradients want that of the forward pass as a hint.
  dnnl::convolution_forward::primitive_desc hint() const {
    const Desc kernel(plainDims_, dataType(type_), memory::format_tag::any);
    Dims xd = x_.dims(), yd = y_.dims();
    return describeForward(channelsLast(xd, type_), kernel, channelsLast(yd, type_), false, before_, after_, strides_);
  }
  void planInput() {
    using Input = dnnl::convolution_backward_data;
    const Input::desc desc(dnnl::algorithm::convolution_direct, x_, kernel_, y_, strides_, dilation_, before_, after_);
    input_ = Input::primitive_desc(desc, attributes(), cpu(), hint());
    note(input_, input_.weights_desc());
    layOut(y_, false, x_, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC, input_.scratchpad_desc());
  }
  /// At stride 1 the gradient is a convolution of dy by the kernel turned round, channels and filters exchanged.
  void planTurned() {
    const size_t from = groups_ == 1 ? 0 : 1;
    Dims before(before_.size()), after(before_.size());
    for (size_t i = 0; i < before_.size(); i++) {
      const int64_t reach = (plainDims_[from + 2 + i] - 1) * (dilation_[i] + 1);
      before[i] = reach - before_[i];
      after[i] = reach - after_[i];
      if (strides_[i] != 1 || before[i] < 0 || after[i] < 0) throw Fault("E_BUG", where, "a convolution that cannot be turned");
      turned.push_back(int(from + 2 + i));
    }
    std::swap(plainDims_[from], plainDims_[from + 1]);
    std::swap(plainSteps_[from], plainSteps_[from + 1]);
    const Desc kernel(plainDims_, dataType(type_), memory::format_tag::any);
    forward_ = describeForward(y_, kernel, x_, false, before, after, strides_);
    note(forward_, forward_.weights_desc());
    layOut(y_, false, x_, DNNL_ARG_SRC, DNNL_ARG_DST, forward_.scratchpad_desc());
  }
  bool isDoubtful() const {
    if (strides_.size() < 3) return false;
    const Dims x = x_.dims();
    bool isWide = false;
    for (size_t i = 0; i < strides_.size(); i++) isWide = isWide || before_[i] >= x[2 + i] || after_[i] >= x[2 + i];
    return type_ == Type::bfloat16 || isWide;
  }
  /// Operands x, dy, dkernel, dbias?, scratch.
  void planKernel() {
    using Kernel = dnnl::convolution_backward_weights;
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const Kernel::desc desc = hasBias_ ? Kernel::desc(algorithm, x_, kernel_, bias_, y_, strides_, dilation_, before_, after_)
                                       : Kernel::desc(algorithm, x_, kernel_, y_, strides_, dilation_, before_, after_);
    const auto forward = hint();  // next_impl reads it as well
    gradient_ = Kernel::primitive_desc(desc, attributes(), cpu(), forward);
    // over volumes 2.6.3's loops (jit) read what nobody wrote: in bfloat16 for many shapes, in float32 where a border is as wide as
    // the input; its products of matrices (gemm:jit) do not
    const auto isLoop = [&] { return std::string(gradient_.impl_info_str()).rfind("jit", 0) == 0; };
    while (isDoubtful() && isLoop() && gradient_.next_impl()) {
    }
    note(gradient_, gradient_.diff_weights_desc());
    add(DNNL_ARG_SRC, x_);
    add(DNNL_ARG_DIFF_DST, y_);
    result_ = memories_.size();
    add(DNNL_ARG_DIFF_WEIGHTS, packed);
    if (hasBias_) add(DNNL_ARG_DIFF_BIAS, bias_);
    add(DNNL_ARG_SCRATCHPAD, gradient_.scratchpad_desc());
  }

  dnnl::primitive make() override {
    const Alone planned(isAlone_);
    if (of_ == "kernel") return dnnl::convolution_backward_weights(gradient_);
    if (of_ == "input" && !isTurned_) return dnnl::convolution_backward_data(input_);
    return dnnl::convolution_forward(forward_);
  }
};

}  // namespace

std::shared_ptr<Operation> makeConvolution(const Fields &fields) { return std::make_shared<Convolution>(fields); }

}  // namespace fovea::onednn
