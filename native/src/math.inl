// Functions of one float without branches, so that loops over them become vector code. The same polynomials as the wasm
// engine's (src/engines/wasm/math.ts, after Cephes and scripts/error-function.py), within the same bounds of docs/numerics.md.

#define EACH _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)

static inline uint32_t bitsOf(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  return u;
}
static inline float floatOf(uint32_t u) {
  float x;
  __builtin_memcpy(&x, &u, 4);
  return x;
}
static inline uint64_t bitsOf(double x) {
  uint64_t u;
  __builtin_memcpy(&u, &x, 8);
  return u;
}

static inline float fromBfloat16(uint16_t h) { return floatOf(uint32_t(h) << 16); }
/// Round to nearest, ties to even; NaN stays NaN.
static inline uint16_t toBfloat16(float x) {
  const uint32_t u = bitsOf(x);
  const uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  return uint16_t(x != x ? (u >> 16) | 0x40 : rounded);
}

static inline float signOf(float x, float size) { return floatOf((bitsOf(x) & 0x80000000u) | (bitsOf(size) & 0x7fffffffu)); }
static inline float absOf(float x) { return floatOf(bitsOf(x) & 0x7fffffffu); }
/// Rounds to the nearest integer, |x| below 2^22.
static inline float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }
/// JavaScript's Math.max and Math.min: NaN passes, -0 is below 0.
static inline float maxOf(float a, float b) {
  const float larger = a > b ? a : b;
  const float atTie = a == b ? floatOf(bitsOf(a) & bitsOf(b)) : larger;
  return a != a ? a : atTie;
}
static inline float minOf(float a, float b) {
  const float smaller = a < b ? a : b;
  const float atTie = a == b ? floatOf(bitsOf(a) | bitsOf(b)) : smaller;
  return a != a ? a : atTie;
}

static inline float powerOfTwo(int32_t n) { return floatOf(uint32_t(n + 127) << 23); }

static inline float expOf(float x) {
  const float low = x < -104.0f ? -104.0f : x;
  const float clamped = low > 89.0f ? 89.0f : low;
  const float n = nearest(clamped * 1.44269504f);
  const float r = (clamped - n * 0.693359375f) + n * 2.1219444e-4f;
  float p = 1.98756915e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = (p * (r * r) + r) + 1.0f;
  const int32_t whole = int32_t(n), half = whole >> 1;  // in two halves, for subnormal results
  const float result = y * powerOfTwo(half) * powerOfTwo(whole - half);
  return x != x ? x : result;
}

/// x > 0 as m 2^e with m in [sqrt(1/2), sqrt(2)).
static inline float fractionOf(float x, float &e) {
  const bool isTiny = x < 1.17549435e-38f;
  const uint32_t u = bitsOf(isTiny ? x * 8388608.0f : x);
  float m = floatOf((u & 0x007fffffu) | 0x3f000000u);
  const bool isLow = m < 0.707106781f;
  e = float(int32_t(u >> 23) - 126) - (isTiny ? 23.0f : 0.0f) - (isLow ? 1.0f : 0.0f);
  return isLow ? m + m : m;
}

static inline float logOf(float x) {
  float e;
  const float y = fractionOf(x, e) - 1.0f;
  const float z = y * y;
  float p = 7.0376836292e-2f;
  p = p * y - 1.151461031e-1f;
  p = p * y + 1.167699874e-1f;
  p = p * y - 1.2420140846e-1f;
  p = p * y + 1.4249322787e-1f;
  p = p * y - 1.6668057665e-1f;
  p = p * y + 2.0000714765e-1f;
  p = p * y - 2.4999993993e-1f;
  p = p * y + 3.3333331174e-1f;
  const float small = e * -2.1219444e-4f + p * y * z;
  const float sum = y + (z * -0.5f + small);
  const float result = e * 0.693359375f + sum;
  const float atInfinity = x == __builtin_inff() ? x : result;
  const float atZero = x == 0 ? -__builtin_inff() : atInfinity;
  return x >= 0 ? atZero : __builtin_nanf("");
}

static inline float tanhOf(float x) {
  const float a = absOf(x), z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  const float far = 1.0f - 2.0f / (expOf(a * 2.0f) + 1.0f);
  return signOf(x, a < 0.625f ? near : far);
}

template <int N>
static inline float polynomial(float x, const float (&c)[N]) {
  float sum = c[0];
  for (int i = 1; i < N; i++) sum = sum * x + c[i];
  return sum;
}

// P, Q, M and R of the wasm engine's math.ts
static const float NEAR[] = {7.853519295e-5f, -8.010081441e-4f, 5.188313508e-3f, -2.685380331e-2f,
                             1.128358489e-1f, -3.761262579e-1f, 1.283791657e-1f};
static const float FAR[] = {1.86379186e-4f,   -2.94765825e-3f, 2.18380638e-2f,  -1.031067541e-1f,
                            -6.381448333e-1f, -1.12708919f,    -3.415231171e-4f};
static const float MIDDLE[] = {-7.462894872e-6f, 1.129521736e-4f, -1.185784986e-3f, 9.97307838e-3f, -6.649031436e-2f, 3.989422777e-1f};
static const float TAIL[] = {2.000277609e-3f, -2.285077632e-3f, -6.906590492e-3f, -3.885497975e-4f,
                             3.672486995e-2f, 2.87932099e-2f,   -3.314044861e-1f, 6.72408036e-1f};

static inline float erfOf(float x) {
  const float size = absOf(x), a = size > 4.0f ? 4.0f : size, z = a * a;
  const float near = polynomial(z, NEAR) * a + a;
  const float far = 1.0f - expOf(polynomial(a, FAR));
  const float result = signOf(x, a < 1.0f ? near : far);
  return x != x ? x : result;
}

/// 1/2 + x M(x^2) within 1, exp(-x^2 / 2) R(|x|) below, 1 less that above.
static inline float normalCdfOf(float x) {
  const float size = absOf(x), a = size > 14.5f ? 14.5f : size, z = x * x;
  const float middle = polynomial(z, MIDDLE) * x + 0.5f;
  const float over = a + 2.0f;
  const float ratio = polynomial((a - 2.0f) / over, TAIL) / over;
  const float high = floatOf(bitsOf(a) & 0xfffff000u);
  const float large = expOf(high * high * -0.5f), small = expOf((high - a) * (high + a) * 0.5f);
  const float tail = large * (small * ratio);
  const float outside = x > 0 ? 1.0f - tail : tail;
  const float result = a < 1.0f ? middle : outside;
  return x != x ? x : result;
}

/// x^y as C has it. In double, so that y log2(x) keeps its digits; the corners come last.
static inline float powOf(float x, float y) {
  const float a = absOf(x);
  float e;
  const double m = fractionOf(a, e);
  const double s = (m - 1) / (m + 1), z = s * s;
  double series = 0;
  for (int k = 7; k >= 0; k--) series = series * z + 2 * 1.4426950408889634 / (2 * k + 1);
  const bool isProper = a > 0 && a < __builtin_inff();
  const double exponent = isProper ? double(e) : a == 0 ? -__builtin_inf() : double(a);
  double power = double(y) * (exponent + series * s);
  power = power < -160 ? -160 : power > 160 ? 160 : power;
  const double n = (power + 6755399441055744.0) - 6755399441055744.0;
  const double r = (power - n) * 0.6931471805599453;
  double p = 1;
  for (int k = 10; k >= 1; k--) p = p * r * (1.0 / k) + 1;
  const int32_t whole = int32_t(n == n ? n : 0), half = whole >> 1;
  const float scaled = float(p) * powerOfTwo(half) * powerOfTwo(whole - half);
  const float size = y == 0 || a == 1 ? 1.0f : scaled;
  const bool isFraction = y != __builtin_floorf(y);
  const float halved = y * 0.5f;
  const bool isOdd = !isFraction && halved != __builtin_floorf(halved);
  const float result = isOdd && (bitsOf(x) >> 31) ? -size : size;
  const bool isBelow = x < 0 && x > -__builtin_inff();
  return isBelow && isFraction ? __builtin_nanf("") : result;
}

/// sin(2 pi t) for t in [0, 2).
static inline float sineOfTurns(float t) {
  const float small = t - nearest(t);
  const float mirrored = signOf(small, 0.5f) - small;
  const float x = (absOf(small) > 0.25f ? mirrored : small) * 6.28318531f;
  const float z = x * x;
  float p = -2.3889859e-8f;
  p = p * z + 2.7525562e-6f;
  p = p * z - 1.98408741e-4f;
  p = p * z + 8.333333072e-3f;
  p = p * z - 1.6666666641e-1f;
  return p * z * x + x;
}
