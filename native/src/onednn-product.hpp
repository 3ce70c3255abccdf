// What operations of oneDNN share: its types, its engine, and how a primitive is bound to memory and run.
#pragma once

#include <omp.h>

#include <dnnl.hpp>
#include <unordered_map>

#include "expression.hpp"
#include "onednn.hpp"

namespace fovea::onednn {

using dnnl::memory;
using Desc = memory::desc;
using Dims = memory::dims;

/// Of the process.
const dnnl::engine &cpu();
/// Of the calling thread, since a stream is used by one thread at a time.
dnnl::stream &stream();

inline memory::data_type dataType(Type type) { return type == Type::bfloat16 ? memory::data_type::bf16 : memory::data_type::f32; }

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

inline memory empty(const Desc &desc) { return memory(desc, cpu(), nullptr); }

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

std::shared_ptr<Operation> makeConvolution(const Fields &fields);
std::shared_ptr<Operation> makeMatmul(const Fields &fields);
std::shared_ptr<Operation> makeRepack(const Fields &fields);

}  // namespace fovea::onednn
