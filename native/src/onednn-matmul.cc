// Products of matrices by oneDNN.
#include "onednn-product.hpp"

namespace fovea::onednn {
namespace {

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

}  // namespace

std::shared_ptr<Operation> makeMatmul(const Fields &fields) { return std::make_shared<Matmul>(fields); }

}  // namespace fovea::onednn
