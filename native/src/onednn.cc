// Which oneDNN is here, what it can do, and the operations that are its own.
#include "onednn.hpp"

#include <omp.h>

#include "onednn-product.hpp"

namespace fovea {
namespace onednn {

/// Never taken apart: threads may end after what is static.
const dnnl::engine &cpu() {
  static const dnnl::engine &engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return engine;
}
dnnl::stream &stream() {
  static thread_local dnnl::stream one(cpu());
  return one;
}

}  // namespace onednn

const std::map<std::string, OperationMaker> productOperations = {
    {"convolution", onednn::makeConvolution},
    {"matmul", onednn::makeMatmul},
    {"repack", onednn::makeRepack},
};

Needs needsOf(const Operation &operation) {
  const auto *product = dynamic_cast<const onednn::Product *>(&operation);
  return product ? product->needs : Needs{};
}

bool haveSamePacking(const Operation &one, const Operation &other) {
  const auto *a = dynamic_cast<const onednn::Product *>(&one), *b = dynamic_cast<const onednn::Product *>(&other);
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
