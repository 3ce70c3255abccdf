// What the addon exports.
#include <dnnl.hpp>
#include <napi.h>
#include <omp.h>

#include <string>

namespace {

/** Which kernels of oneDNN may run here: the instruction sets that the processor and ONEDNN_MAX_CPU_ISA leave. */
std::string isa() {
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

Napi::Value info(const Napi::CallbackInfo& call) {
  const dnnl_version_t& version = *dnnl_version();
  auto facts = Napi::Object::New(call.Env());
  facts["onednn"] = std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
  facts["isa"] = isa();
  facts["compiler"] = "g++ " __VERSION__;
  facts["threads"] = omp_get_max_threads();
  return facts;
}

Napi::Object fill(Napi::Env env, Napi::Object target) {
  target["info"] = Napi::Function::New(env, info, "info");
  return target;
}

}  // namespace

NODE_API_MODULE(fovea, fill)
