// Between the plain layout of a product's operand and the one that oneDNN reads.
#include <algorithm>

#include "handle.hpp"
#include "onednn-product.hpp"

namespace fovea::onednn {
namespace {

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

}  // namespace

std::shared_ptr<Operation> makeRepack(const Fields &fields) { return std::make_shared<Repack>(fields); }

}  // namespace fovea::onednn
