// Products of bfloat16 by the processor's tiles (AMX): sixteen rows of 64 bytes each.
#pragma once

#include "intrinsics.hpp"
#include "operation.hpp"

#if defined(__x86_64__)
#define TILES __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#endif

namespace fovea {

/// Has this processor such tiles, and may this process use them?
bool hasTiles();

/// The gradient of a convolution's kernel.
std::shared_ptr<Operation> makeTiledGradient(const Fields &fields);
/// A convolution, and the kernel in its layout.
std::shared_ptr<Operation> makeTiledConvolution(const Fields &fields);
std::shared_ptr<Operation> makeTiledKernel(const Fields &fields);

#if defined(__x86_64__)
constexpr int64_t SIDE = 16;  // rows of a tile, and its columns in float32
constexpr int64_t STEP = 32;  // its columns in bfloat16

inline int64_t roundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// All eight tiles are full.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
#endif

}  // namespace fovea
