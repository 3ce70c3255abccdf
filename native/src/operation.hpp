// An operation: one stage of a program. It is made from its description, bound to memory, and run once a step.
#pragma once

#include <omp.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fields.hpp"

namespace fovea {

enum class Type : uint8_t { float32, bfloat16, int32, uint8 };

inline int64_t bytesOf(Type type) { return type == Type::float32 || type == Type::int32 ? 4 : type == Type::bfloat16 ? 2 : 1; }

inline Type typeOf(const Fields &fields, const char *name) {
  const std::string text = fields.text(name);
  if (text == "float32") return Type::float32;
  if (text == "bfloat16") return Type::bfloat16;
  if (text == "int32") return Type::int32;
  if (text == "uint8") return Type::uint8;
  throw fields.wrong(name, "a dtype");
}
inline Type typeOf(const Fields &fields, const char *name, std::initializer_list<Type> allowed) {
  const Type type = typeOf(fields, name);
  for (const Type one : allowed)
    if (one == type) return type;
  throw fields.wrong(name, "a dtype that this operation computes");
}

/// What JavaScript holds of an engine, by a handle. Only the thread of JavaScript uses it.
struct Held {
  /// The engine that made it: its number.
  uint64_t owner = 0;
  /// Its memory was given back.
  bool isDropped = false;
  /// Bytes that V8 knows of.
  int64_t reported = 0;
};

/// What the threads of an engine share while a program runs: how many they are, and a piece of memory for each.
struct Team {
  int threads = 1;
  std::vector<float *> scratch;  // one a thread, `scratchFloats` each
};

class Operation : public Held {
 public:
  explicit Operation(std::string where) : where(std::move(where)) {}
  virtual ~Operation() = default;
  Operation(const Operation &) = delete;

  const std::string where;
  /// Bytes that each operand must have at least, in their order.
  std::vector<int64_t> operandBytes;
  /// Floats of scratch that every thread needs.
  int64_t scratchFloats = 0;
  /// Runs only when one of the tensors that it reads was written since it last ran.
  bool isOnce = false;
  /// Whether it is in a program: it keeps the addresses of one.
  bool isPlaced = false;
  /// The name of what computes it, of products.
  std::string implementation;

  /// Makes what is costly to make; on the engine's own thread.
  virtual void create() {}
  /// After it ran: do the tensors that its stage names take what is in their shadows?
  virtual bool isCommitted() const { return false; }
  virtual void bind(const std::vector<char *> &operands) = 0;
  virtual void run(const Team &team) = 0;
};

using OperationMaker = std::shared_ptr<Operation> (*)(const Fields &);

/// Only the size of work decides how it is cut into pieces, so that the number of threads never changes a result.
constexpr int64_t GRAIN = 16384;

/// Calls `body(begin, end)` for the share of [0, total) that each thread has: all of it for one, where `grain` is not reached twice.
template <typename Body>
void inShares(const Team &team, int64_t total, int64_t grain, Body body) {
  if (team.threads == 1 || total < 2 * grain) return body(int64_t(0), total);
#pragma omp parallel num_threads(team.threads)
  {
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    body(total * thread / threads, total * (thread + 1) / threads);
  }
}

/// Calls `body(begin, end, thread)` for pieces of [0, total) of `grain` each; fewer than `least` are not worth waking anybody.
template <typename Body>
void inPieces(const Team &team, int64_t total, int64_t grain, Body body, int64_t least = 2) {
  const int64_t pieces = (total + grain - 1) / grain;
  if (pieces < least || team.threads == 1) {
    for (int64_t piece = 0; piece < pieces; piece++) body(piece * grain, piece * grain + grain < total ? piece * grain + grain : total, 0);
    return;
  }
#pragma omp parallel num_threads(team.threads)
  {
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    const int64_t from = pieces * thread / threads, to = pieces * (thread + 1) / threads;
    for (int64_t piece = from; piece < to; piece++)
      body(piece * grain, piece * grain + grain < total ? piece * grain + grain : total, thread);
  }
}

}  // namespace fovea
