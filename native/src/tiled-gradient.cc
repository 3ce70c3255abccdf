// The gradient of a convolution's kernel in bfloat16 by the processor's tiles. At each tap of the window it is a matrix product
// over all places p of the result: dkernel[tap][c][k] = sum of x[p + shift of the tap][c] dy[p][k]. A tile of x needs channels as
// rows and places along them, so pictures are turned (with their border, which makes every tap a mere shift); a tile of dy needs
// pairs of places side by side. Both stay in the second cache while all taps use them. oneDNN's own took 3.6 times as long for
// LeNet's second layer, 2 to 3 times for those of a deep net.
#include "tiles.hpp"

#include <algorithm>
#include <cstring>

namespace fovea {

#if defined(__x86_64__)
namespace {

constexpr int64_t SQUARE = SIDE * SIDE;    // of a tile of sums
constexpr int64_t CHUNK = 8 * STEP;        // places whose numbers the first cache holds
constexpr int64_t PLACES = 4096;           // of a part at the least, where there are more parts than threads
constexpr int64_t PARTS_FLOATS = 1 << 22;  // of all parts together then
constexpr int64_t GROUP_BYTES = 600'000;   // of turned pictures in the second cache

/// Sixteen places of sixteen channels each become sixteen channels of sixteen places each.
TILES inline void turn(const __m256i (&from)[SIDE], __m256i (&to)[SIDE]) {
  __m256i a[SIDE], b[SIDE];
  for (int i = 0; i < 8; i++) {
    a[2 * i] = _mm256_unpacklo_epi16(from[2 * i], from[2 * i + 1]);
    a[2 * i + 1] = _mm256_unpackhi_epi16(from[2 * i], from[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) {
    for (int half = 0; half < 2; half++) {
      b[4 * i + 2 * half] = _mm256_unpacklo_epi32(a[4 * i + half], a[4 * i + 2 + half]);
      b[4 * i + 2 * half + 1] = _mm256_unpackhi_epi32(a[4 * i + half], a[4 * i + 2 + half]);
    }
  }
  for (int i = 0; i < 2; i++) {
    for (int pair = 0; pair < 4; pair++) {
      a[8 * i + 2 * pair] = _mm256_unpacklo_epi64(b[8 * i + pair], b[8 * i + 4 + pair]);
      a[8 * i + 2 * pair + 1] = _mm256_unpackhi_epi64(b[8 * i + pair], b[8 * i + 4 + pair]);
    }
  }
  for (int c = 0; c < 8; c++) {
    to[c] = _mm256_permute2x128_si256(a[c], a[8 + c], 0x20);
    to[8 + c] = _mm256_permute2x128_si256(a[c], a[8 + c], 0x31);
  }
}

TILES inline __mmask16 firstOf(int64_t count) { return count >= SIDE ? __mmask16(0xffff) : __mmask16((1 << count) - 1); }

/// Bytes that are soon turned or paired: a few lines of them are asked for at each turn of the products before.
struct Ahead {
  const char *at[2];
  int64_t lines[2];  // of each, in all the turns together
  int64_t turns, turn = 0;

  void fetchSome() {
    for (int i = 0; i < 2; i++) {
      const int64_t from = lines[i] * turn / turns, to = lines[i] * (turn + 1) / turns;
      for (int64_t line = from; line < to; line++) __builtin_prefetch(at[i] + line * 64, 0, 2);
    }
    turn++;
  }
};

/// fields: images, channels, filters, input, output, window, before [height, width] each, bias. Operands: x, dy, dkernel [window,
/// channels, filters], dbias?, sums. The images are cut into as many parts as there are threads, very many places into more, which are
/// added in order.
class TiledGradient : public Operation {
 public:
  explicit TiledGradient(const Fields &fields) : Operation(fields.where()) {
    implementation = "tiles: amx_bf16";
    constexpr int64_t most = 1 << 20;
    if (!hasTiles()) throw fields.wrong("kind", "an operation of this processor");
    images_ = fields.integer("images", 1, MOST);
    channels_ = fields.integer("channels", 1, most), filters_ = fields.integer("filters", 1, most);
    fields.integers("input", 1, LONGEST, input_);
    fields.integers("output", 1, LONGEST, output_);
    fields.integers("window", 1, LONGEST, window_);
    fields.integers("before", 0, LONGEST, before_);
    for (int axis = 0; axis < 2; axis++)
      if (input_[axis] + before_[axis] > output_[axis] + window_[axis] - 1)
        throw fields.wrong("output", "windows that reach all of the input");
    hasBias_ = fields.flag("bias");
    taps_ = product({window_[0], window_[1]}, where);
    channelBlocks_ = roundUp(channels_, SIDE) / SIDE, filterBlocks_ = roundUp(filters_, SIDE) / SIDE;
    width_ = output_[1] + window_[1] - 1;
    // bands of rows where a whole picture is too much for the second cache
    const int64_t rowBytes = product({width_ * 2, SIDE, channelBlocks_ + filterBlocks_}, where);
    band_ = std::clamp<int64_t>(GROUP_BYTES / rowBytes - window_[0], 1, output_[0]);
    bands_ = (output_[0] + band_ - 1) / band_;
    places_ = roundUp(band_ * width_, STEP);
    // channels begin at different lines of the first cache
    stride_ = (roundUp(places_ + (window_[0] - 1) * width_ + window_[1] + STEP, STEP) / STEP | 1) * STEP;
    turned_ = product({channelBlocks_ * SIDE, stride_}, where);
    paired_ = product({filterBlocks_ * SIDE, places_}, where);
    group_ = std::clamp<int64_t>(GROUP_BYTES / ((turned_ + paired_) * 2), 1, 16);
    pieces_ = product({images_, bands_}, where);
    sums_ = product({taps_, channelBlocks_, filterBlocks_, SQUARE}, where) + filterBlocks_ * SIDE;
    const int64_t places = product({images_, output_[0], output_[1]}, where);
    parts_ = std::max<int64_t>(omp_get_max_threads(), std::min(places / PLACES, PARTS_FLOATS / sums_));
    parts_ = std::min(parts_, pieces_);
    operandBytes = {product({images_, input_[0], input_[1], channels_}, where) * 2,
                    product({images_, output_[0], output_[1], filters_}, where) * 2, product({taps_, channels_, filters_}, where) * 4};
    if (hasBias_) operandBytes.push_back(filters_ * 4);
    listItems();
    operandBytes.push_back(product({parts_, sums_}, where) * 4);
    // a tile of sums that nobody reads, a pixel of zeros, the pictures
    scratchFloats = SQUARE + filterBlocks_ * SIDE + product({group_, turned_ + paired_}, where) / 2;
  }
  void bind(const std::vector<char *> &operands) override { operands_ = operands; }

  void run(const Team &team) override {
    float *sums = reinterpret_cast<float *>(operands_.back());
    inPieces(team, parts_, 1, [&](int64_t part, int64_t, int thread) { compute(part, sums + part * sums_, team.scratch[thread]); });
    const int64_t grain = std::max<int64_t>(1, GRAIN / (taps_ * filters_));
    inPieces(team, channels_, grain, [&](int64_t from, int64_t to, int) {
      for (int64_t tap = 0; tap < taps_; tap++)
        for (int64_t c = from; c < to; c++) end(sums, tap, c);
    });
    if (!hasBias_) return;
    float *bias = reinterpret_cast<float *>(operands_[3]);
    const float *from = sums + sums_ - filterBlocks_ * SIDE;
    for (int64_t k = 0; k < filters_; k++) {
      bias[k] = from[k];
      for (int64_t part = 1; part < parts_; part++) bias[k] += from[part * sums_ + k];
    }
  }

 private:
  int64_t images_, channels_, filters_, input_[2], output_[2], window_[2], before_[2];
  int64_t taps_, channelBlocks_, filterBlocks_;
  int64_t width_;            // of a picture with its border
  int64_t band_, bands_;     // rows of the result at a time
  int64_t places_, stride_;  // of a band; from a turned channel to the next
  int64_t turned_, paired_;  // numbers of a band of x, and of dy
  int64_t group_, pieces_, parts_, sums_;
  bool hasBias_;
  /// A tap and sixteen channels: where they begin in a turned picture, and in the sums.
  struct Item {
    int64_t shift, sums;
  };
  std::vector<Item> items_;
  std::vector<char *> operands_;

  /// Channels by twos, where they are even: two tiles of the same tap.
  void listItems() {
    if (product({taps_, channelBlocks_}, where) > MOST_ENTRIES) throw Fault("E_LIMIT", where, "the kernel is too large");
    for (int64_t c = 0; c < channelBlocks_; c += 2) {
      for (int64_t tap = 0; tap < taps_; tap++)
        for (int64_t own = c; own < std::min(c + 2, channelBlocks_); own++)
          items_.push_back(
              {own * SIDE * stride_ + tap / window_[1] * width_ + tap % window_[1], (tap * channelBlocks_ + own) * filterBlocks_ * SQUARE});
    }
  }

  /// A row of the gradient of one tap: what the parts have for a channel.
  void end(const float *sums, int64_t tap, int64_t c) const {
    float *to = reinterpret_cast<float *>(operands_[2]) + (tap * channels_ + c) * filters_;
    for (int64_t block = 0; block < filterBlocks_; block++) {
      const float *from = sums + ((tap * channelBlocks_ + c / SIDE) * filterBlocks_ + block) * SQUARE + c % SIDE * SIDE;
      const int64_t n = std::min(SIDE, filters_ - block * SIDE);
      for (int64_t k = 0; k < n; k++) to[block * SIDE + k] = from[k];
      for (int64_t part = 1; part < parts_; part++)
        for (int64_t k = 0; k < n; k++) to[block * SIDE + k] += from[part * sums_ + k];
    }
  }

  TILES void compute(int64_t part, float *sums, float *scratch) const {
    std::fill(sums, sums + sums_, 0.0f);
    float *unwanted = scratch, *biases = sums + sums_ - filterBlocks_ * SIDE;
    uint16_t *zeros = reinterpret_cast<uint16_t *>(scratch + SQUARE), *turned = zeros + filterBlocks_ * SIDE * 2,
             *paired = turned + group_ * turned_;
    std::memset(zeros, 0, (paired - zeros) * 2);
    const TileConfiguration configuration;
    _tile_loadconfig(&configuration);
    const int64_t last = pieces_ * (part + 1) / parts_;
    for (int64_t piece = pieces_ * part / parts_; piece < last; piece += group_) {
      const int64_t count = std::min(group_, last - piece);
      for (int64_t i = 0; i < count; i++) {
        turnPicture(piece + i, turned + i * turned_);
        pairPlaces(piece + i, paired + i * paired_, zeros, biases);
      }
      Ahead ahead = aheadOf(piece + count, std::min(group_, last - piece - count), count);
      multiply(turned, paired, count, sums, unwanted, ahead);
    }
    _tile_release();
  }

  /// So many pieces from `piece` on, during the products of `count`.
  Ahead aheadOf(int64_t piece, int64_t next, int64_t count) const {
    const int64_t x = input_[0] * input_[1] * channels_ * 2, y = output_[0] * output_[1] * filters_ * 2;
    const int64_t chunks =
        (places_ + CHUNK - 1) / CHUNK * ((count + std::max<int64_t>(1, CHUNK / places_) - 1) / std::max<int64_t>(1, CHUNK / places_));
    const int64_t turns = chunks * ((filterBlocks_ + 1) / 2) * ((int64_t(items_.size()) + 1) / 2);
    return {
        {operands_[0] + piece / bands_ * x, operands_[1] + piece / bands_ * y}, {next * x / bands_ / 64, next * y / bands_ / 64}, turns};
  }

  /// A band of a picture of x into [channels, places with the border].
  TILES void turnPicture(int64_t piece, uint16_t *to) const {
    const int64_t top = piece % bands_ * band_ - before_[0], rows = std::min(band_, output_[0] - piece % bands_ * band_) + window_[0] - 1;
    const uint16_t *picture = reinterpret_cast<const uint16_t *>(operands_[0]) + piece / bands_ * input_[0] * input_[1] * channels_;
    if (bands_ > 1) std::memset(to, 0, turned_ * 2);  // other rows were outside of the picture before
    for (int64_t row = std::max<int64_t>(0, -top); row < rows && top + row < input_[0]; row++) {
      for (int64_t left = 0; left < input_[1]; left += SIDE) {
        const uint16_t *from = picture + ((top + row) * input_[1] + left) * channels_;
        const int64_t places = std::min(SIDE, input_[1] - left);
        for (int64_t c = 0; c < channels_; c += SIDE) {
          const __mmask16 mask = firstOf(channels_ - c);
          __m256i rowsOf[SIDE], columns[SIDE];
          if (places == SIDE && mask == 0xffff) {
            for (int64_t p = 0; p < SIDE; p++) rowsOf[p] = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from + p * channels_ + c));
          } else {
            for (int64_t p = 0; p < SIDE; p++)
              rowsOf[p] = p < places ? _mm256_maskz_loadu_epi16(mask, from + p * channels_ + c) : _mm256_setzero_si256();
          }
          turn(rowsOf, columns);
          // beyond the end of a row is its border, and what the next rows write over
          uint16_t *target = to + c * stride_ + row * width_ + left + before_[1];
          for (int64_t k = 0; k < SIDE; k++) _mm256_storeu_si256(reinterpret_cast<__m256i *>(target + k * stride_), columns[k]);
        }
      }
    }
  }

  /// A band of dy into [places / 2, filters, 2], zeros where a place is of the border; its sums by filter are added to `biases`.
  TILES void pairPlaces(int64_t piece, uint16_t *to, const uint16_t *zeros, float *biases) const {
    const int64_t first = piece % bands_ * band_, rows = std::min(band_, output_[0] - first);
    const uint16_t *flow = reinterpret_cast<const uint16_t *>(operands_[1]) + (piece / bands_ * output_[0] + first) * output_[1] * filters_;
    int64_t row = 0, column = 0;
    const auto next = [&] {
      const uint16_t *place = row < rows && column < output_[1] ? flow + (row * output_[1] + column) * filters_ : zeros;
      if (++column == width_) column = 0, row++;
      return place;
    };
    for (int64_t p = 0; p < places_; p += 2) {
      const uint16_t *even = next(), *odd = next();
      for (int64_t block = 0; block < filterBlocks_; block++) {
        const __mmask16 mask = firstOf(filters_ - block * SIDE);
        const __m512i a = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, even + block * SIDE));
        const __m512i b = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, odd + block * SIDE)), 16);
        _mm512_storeu_si512(to + (p / 2 * filterBlocks_ + block) * STEP, _mm512_or_si512(a, b));
        if (!hasBias_) continue;
        const __m512 sum = _mm512_add_ps(_mm512_castsi512_ps(_mm512_slli_epi32(a, 16)), _mm512_castsi512_ps(b));
        _mm512_storeu_ps(biases + block * SIDE, _mm512_add_ps(_mm512_loadu_ps(biases + block * SIDE), sum));
      }
    }
  }

  /// Adds the products of `count` bands for all taps, channels and filters: as many places at a time as the first cache holds.
  TILES void multiply(const uint16_t *turned, const uint16_t *paired, int64_t count, float *sums, float *unwanted, Ahead &ahead) const {
    const int64_t pictures = std::max<int64_t>(1, CHUNK / places_), places = std::min(CHUNK, places_);
    for (int64_t picture = 0; picture < count; picture += pictures) {
      const int64_t some = std::min(pictures, count - picture);
      for (int64_t from = 0; from < places_; from += places) {
        const int64_t to = std::min(from + places, places_);
        for (int64_t k = 0; k < filterBlocks_; k += 2) {
          const uint16_t *x = turned + picture * turned_ + from, *y = paired + picture * paired_ + (from / 2 * filterBlocks_ + k) * STEP;
          multiplyChunk(x, y, some, to - from, k, sums, unwanted, ahead);
        }
      }
    }
  }
  /// Two tiles of x by one or two of dy at a time.
  TILES void multiplyChunk(const uint16_t *x, const uint16_t *y, int64_t pictures, int64_t places, int64_t k, float *sums, float *unwanted,
                           Ahead &ahead) const {
    const int64_t rowBytes = stride_ * 2, pairBytes = filterBlocks_ * STEP * 2, next = SIDE * filterBlocks_ * STEP;
    const int64_t items = int64_t(items_.size());
    for (int64_t i = 0; i < items; i += 2) {
      ahead.fetchSome();
      // of an odd number the last is computed twice
      const bool isLast = i + 1 == items;
      const Item &item = items_[size_t(i)], &other = items_[size_t(isLast ? i : i + 1)];
      float *own = sums + item.sums + k * SQUARE, *others = isLast ? unwanted : sums + other.sums + k * SQUARE;
      _tile_loadd(0, own, 64);
      _tile_loadd(1, others, 64);
      if (k + 1 == filterBlocks_) {
        for (int64_t picture = 0; picture < pictures; picture++) {
          const uint16_t *a = x + picture * turned_ + item.shift, *b = x + picture * turned_ + other.shift, *flow = y + picture * paired_;
          for (int64_t p = 0; p < places; p += STEP, a += STEP, b += STEP, flow += next) {
            _tile_loadd(6, flow, pairBytes);
            _tile_loadd(4, a, rowBytes);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, b, rowBytes);
            _tile_dpbf16ps(1, 5, 6);
          }
        }
        _tile_stored(0, own, 64);
        _tile_stored(1, others, 64);
        continue;
      }
      float *beside = isLast ? unwanted : others + SQUARE;
      _tile_loadd(2, own + SQUARE, 64);
      _tile_loadd(3, beside, 64);
      for (int64_t picture = 0; picture < pictures; picture++) {
        const uint16_t *a = x + picture * turned_ + item.shift, *b = x + picture * turned_ + other.shift, *flow = y + picture * paired_;
        for (int64_t p = 0; p < places; p += STEP, a += STEP, b += STEP, flow += next) {
          _tile_loadd(6, flow, pairBytes);
          _tile_loadd(4, a, rowBytes);
          _tile_dpbf16ps(0, 4, 6);
          _tile_loadd(5, b, rowBytes);
          _tile_dpbf16ps(1, 5, 6);
          _tile_loadd(7, flow + STEP, pairBytes);
          _tile_dpbf16ps(2, 4, 7);
          _tile_dpbf16ps(3, 5, 7);
        }
      }
      _tile_stored(0, own, 64);
      _tile_stored(1, others, 64);
      _tile_stored(2, own + SQUARE, 64);
      _tile_stored(3, beside, 64);
    }
  }
};

}  // namespace

std::shared_ptr<Operation> makeTiledGradient(const Fields &fields) { return std::make_shared<TiledGradient>(fields); }
#else
std::shared_ptr<Operation> makeTiledGradient(const Fields &fields) { throw fields.wrong("kind", "an operation of this processor"); }
#endif

}  // namespace fovea
