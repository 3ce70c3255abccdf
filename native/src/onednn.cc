#include "onednn.hpp"

#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <unordered_map>

#include "expression.hpp"
#include "handle.hpp"

namespace fovea {
namespace {

using dnnl::memory;
using Desc = memory::desc;
using Dims = memory::dims;

/// Never taken apart: threads may end after what is static.
const dnnl::engine &cpu() {
  static const dnnl::engine &engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return engine;
}
/// Of the calling thread, since a stream is used by one thread at a time.
dnnl::stream &stream() {
  static thread_local dnnl::stream one(cpu());
  return one;
}

memory::data_type dataType(Type type) { return type == Type::bfloat16 ? memory::data_type::bf16 : memory::data_type::f32; }

/// Runs `body`; what oneDNN throws becomes a Fault with the operation's name.
template <typename Body>
auto guarded(const std::string &where, Body body) {
  try {
    return body();
  } catch (const dnnl::error &error) {
    const char *code = error.status == dnnl_out_of_memory ? "E_LIMIT" : "E_ENGINE";
    throw Fault(code, where, std::string("oneDNN: ") + error.what());
  }
}

memory empty(const Desc &desc) { return memory(desc, cpu(), nullptr); }

/// Where it stands, oneDNN plans for one thread, if that is asked for.
class Alone {
 public:
  explicit Alone(bool isAlone) {
    if (isAlone) omp_set_num_threads(1);
  }
  ~Alone() { omp_set_num_threads(threads_); }

 private:
  int threads_ = omp_get_max_threads();
};

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

/// A blocked layout's physical place of a logical index.
int64_t placeIn(const dnnl_memory_desc_t &desc, const int64_t *index) {
  const auto &blocking = desc.format_desc.blocking;
  int64_t rest[DNNL_MAX_NDIMS];
  std::copy(index, index + desc.ndims, rest);
  int64_t place = desc.offset0, step = 1;
  for (int block = blocking.inner_nblks - 1; block >= 0; block--) {
    const int64_t axis = blocking.inner_idxs[block], size = blocking.inner_blks[block];
    place += rest[axis] % size * step;
    rest[axis] /= size;
    step *= size;
  }
  for (int axis = 0; axis < desc.ndims; axis++) place += rest[axis] * blocking.strides[axis];
  return place;
}

/// A primitive over operands in their order, some of them described by more than their bytes.
class Product : public Operation {
 public:
  using Operation::Operation;
  Needs needs;
  /// The operand that is packed: its layout as oneDNN has it, and as the rest of the program has it.
  Desc packed, plain;
  /// Along these axes the packed one is the plain one turned round.
  std::vector<int> turned;

  void create() override {
    guarded(where, [&] { primitive_ = make(); });
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    for (size_t i = 0; i < memories_.size(); i++) memories_[i].second.set_data_handle(operands[i]);
    if (arguments_.empty())  // they share what they say with the memories
      for (const auto &[argument, one] : memories_) arguments_.emplace(argument, one);
    if (tail_) tail_->bind(operands, operands[result_]);
  }

 protected:
  std::vector<std::pair<int, memory>> memories_;  // operand i is memory i, and what argument it is
  std::vector<char *> operands_;
  std::unordered_map<int, memory> arguments_;
  std::unique_ptr<Tail> tail_;
  size_t result_ = 0;
  dnnl::primitive primitive_;

  virtual dnnl::primitive make() = 0;

  void add(int argument, const Desc &desc, int64_t times = 1) {
    memories_.emplace_back(argument, empty(desc));
    operandBytes.push_back(int64_t(desc.get_size()) * times);
  }
  void execute() { primitive_.execute(stream(), arguments_); }
  dnnl::primitive_attr attributes() const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
  }
};

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

/// fields: m, k, n, transposeA, transposeB, dtype of the factors, result dtype, bias?, packs? (b in oneDNN's layout), tail?.
class Matmul : public Product {
 public:
  explicit Matmul(const Fields &fields) : Product(fields.where()) {
    m_ = fields.integer("m", 1, MOST), n_ = fields.integer("n", 1, MOST);
    const int64_t k = fields.integer("k", 1, MOST);
    product({m_, n_}, where), product({m_, k}, where), product({k, n_}, where);
    const Type type = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    const Type result = typeOf(fields, "result", {Type::float32, Type::bfloat16});
    const auto matrix = [](int64_t rows, int64_t columns, Type of, bool isTransposed) {
      return Desc({rows, columns}, dataType(of), isTransposed ? Dims{1, rows} : Dims{columns, 1});
    };
    guarded(where, [&] {
      const Desc a = matrix(m_, k, type, fields.flag("transposeA")), c = matrix(m_, n_, result, false);
      plain = matrix(k, n_, type, fields.flag("transposeB"));
      const Desc b = fields.flag("packs") ? Desc({k, n_}, dataType(type), memory::format_tag::any) : plain;
      const Desc bias({1, n_}, memory::data_type::f32, Dims{n_, 1});
      const dnnl::matmul::desc desc = fields.flag("bias") ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
      described_ = dnnl::matmul::primitive_desc(desc, attributes(), cpu());
      packed = described_.weights_desc();
      needs.packed = packed == plain ? 0 : int64_t(packed.get_size());
      needs.scratch = int64_t(described_.scratchpad_desc().get_size());
      implementation = described_.impl_info_str();
      add(DNNL_ARG_SRC, a);
      add(DNNL_ARG_WEIGHTS, packed);
      if (fields.flag("bias")) add(DNNL_ARG_BIAS, bias);
      result_ = memories_.size();
      add(DNNL_ARG_DST, c);
      add(DNNL_ARG_SCRATCHPAD, described_.scratchpad_desc());
    });
    tail_ = std::make_unique<Tail>(fields, *this, m_ * n_, result);
  }
  void run(const Team &team) override {
    execute();
    tail_->run(team, 0, m_ * n_);
  }

 private:
  int64_t m_, n_;
  dnnl::matmul::primitive_desc described_;
  dnnl::primitive make() override { return dnnl::matmul(described_); }
};

/// From the plain layout to a product's own, or back; the types may differ. fields: product, dtype (of the plain one), back?.
class Repack : public Operation {
 public:
  explicit Repack(const Fields &fields) : Operation(fields.where()) {
    product_ = std::dynamic_pointer_cast<Product>(unwrap<Operation>(fields.value("product"), where));  // only described here
    if (!product_ || product_->needs.packed == 0) throw fields.wrong("product", "a product with a layout of its own");
    isBack_ = fields.flag("back");
    isOnce = fields.flag("once");
    const Type type = typeOf(fields, "dtype", {Type::float32, Type::bfloat16});
    plain_ = product_->plain;
    plain_.data.data_type = dnnl_data_type_t(dataType(type));
    isLow_ = product_->packed.data.data_type == dnnl_bf16;
    const int64_t plainBytes = int64_t(plain_.get_size()), packedBytes = int64_t(product_->packed.get_size());
    operandBytes = isBack_ ? Sizes{packedBytes, plainBytes} : Sizes{plainBytes, packedBytes};
    if (product_->turned.empty()) return;
    if (isBack_) throw fields.wrong("product", "one whose kernel is not turned");
    isCopy_ = type == Type::bfloat16;
    if (isCopy_ && !isLow_) throw fields.wrong("dtype", "that of the product");
  }
  void create() override {
    if (!product_->turned.empty()) return chart();
    guarded(where, [&] {
      const Desc &from = isBack_ ? product_->packed : plain_, &to = isBack_ ? plain_ : product_->packed;
      const dnnl::reorder::primitive_desc desc(cpu(), from, cpu(), to);
      reorder_ = dnnl::reorder(desc);
      from_ = empty(from), to_ = empty(to);
    });
  }
  void bind(const std::vector<char *> &operands) override {
    operands_ = operands;
    if (!map_.empty()) return;
    from_.set_data_handle(operands[0]);
    to_.set_data_handle(operands[1]);
  }
  void run(const Team &team) override {
    if (map_.empty()) {
      reorder_.execute(stream(), from_, to_);
      return;
    }
    const float *from = reinterpret_cast<float *>(operands_[0]);
    inPieces(team, int64_t(map_.size()), GRAIN, [&](int64_t begin, int64_t end, int) {
      if (isCopy_) {
        const uint16_t *low = reinterpret_cast<uint16_t *>(operands_[0]);
        uint16_t *to = reinterpret_cast<uint16_t *>(operands_[1]);
        for (int64_t i = begin; i < end; i++) to[i] = map_[i] < 0 ? uint16_t(0) : low[map_[i]];
      } else if (isLow_) loops().gatherBfloat16(from, map_.data() + begin, reinterpret_cast<uint16_t *>(operands_[1]) + begin, end - begin);
      else loops().gatherFloats(from, map_.data() + begin, reinterpret_cast<float *>(operands_[1]) + begin, end - begin);
    });
  }

 private:
  std::shared_ptr<Product> product_;
  Desc plain_;
  bool isBack_, isLow_, isCopy_ = false;
  std::vector<int32_t> map_;  // of each packed element: its plain one, or -1
  std::vector<char *> operands_;
  dnnl::reorder reorder_;
  memory from_, to_;

  void chart() {
    const dnnl_memory_desc_t &packed = product_->packed.data, &plain = plain_.data;
    if (packed.format_kind != dnnl_blocked) throw Fault("E_ENGINE", where, "oneDNN: a layout that is no blocked one");
    if (plain_.get_size() / 4 > size_t(INT32_MAX)) throw Fault("E_LIMIT", where, "the kernel is too large");
    map_.assign(product_->packed.get_size() / (isLow_ ? 2 : 4), -1);
    int64_t index[DNNL_MAX_NDIMS] = {};
    for (bool more = true; more;) {
      int64_t from[DNNL_MAX_NDIMS];
      std::copy(index, index + plain.ndims, from);
      for (const int axis : product_->turned) from[axis] = plain.dims[axis] - 1 - index[axis];
      map_[placeIn(packed, index)] = int32_t(placeIn(plain, from));
      int axis = plain.ndims - 1;
      while (axis >= 0 && ++index[axis] == plain.dims[axis]) index[axis--] = 0;
      more = axis >= 0;
    }
  }
};

template <typename T>
std::shared_ptr<Operation> make(const Fields &fields) {
  return std::make_shared<T>(fields);
}

}  // namespace

const std::map<std::string, OperationMaker> productOperations = {
    {"convolution", make<Convolution>},
    {"matmul", make<Matmul>},
    {"repack", make<Repack>},
};

Needs needsOf(const Operation &operation) {
  const auto *product = dynamic_cast<const Product *>(&operation);
  return product ? product->needs : Needs{};
}

bool haveSamePacking(const Operation &one, const Operation &other) {
  const auto *a = dynamic_cast<const Product *>(&one), *b = dynamic_cast<const Product *>(&other);
  return a && b && a->packed == b->packed;
}

void setThreads(int threads) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
}
int mostThreads() { return omp_get_thread_limit(); }

std::string onednnVersion() {
  const dnnl_version_t &version = *dnnl_version();
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
}

std::string onednnIsa() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_amx: return "AVX-512, AMX";
    case dnnl::cpu_isa::avx512_core_bf16: return "AVX-512, bfloat16";
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core: return "AVX-512";
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx2: return "AVX2";
    case dnnl::cpu_isa::avx: return "AVX";
    case dnnl::cpu_isa::sse41: return "SSE4.1";
    default: return "no vector instructions known to it";
  }
}

bool onednnHasBfloat16() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core:
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx: return true;
    default: return false;
  }
}

}  // namespace fovea
