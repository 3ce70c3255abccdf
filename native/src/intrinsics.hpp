// The processor's own instructions.
#pragma once

#if defined(__x86_64__)
// those of g++ 12 have numbers in them that are set nowhere, which is meant
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif
