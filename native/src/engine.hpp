// An engine: one thread of its own that calls oneDNN, tensors that stay, programs, and the memory that these share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "memory.hpp"
#include "operation.hpp"

namespace fovea {

/// Vectors may be read beyond the end of the last buffer.
constexpr int64_t SLACK = 256;

/// A tensor that stays. `version` counts its writes, so that what was made from it is known to be old. Its next values may be
/// made in its shadow; to take them over, both change places: `places` counts that. But for its size and its owner it belongs
/// to the engine's thread, and has no bytes once it was dropped.
struct Tensor : Held {
  explicit Tensor(int64_t size) : size(size), bytes(Bytes::allocate(size + SLACK)) {}
  const int64_t size;
  std::unique_ptr<Bytes> bytes, shadow;
  uint64_t version = 1, places = 0;
  bool hasShadow = false;  // or will have: of the thread of JavaScript
  void release();
};

/// Where an operand lies.
struct Place {
  enum class Home { arena, tensor, shadow, own } home;
  int64_t at = 0;  // in the arena, or in the program's own memory
  int64_t bytes = 0;
  std::shared_ptr<Tensor> tensor;
};

/// A program laid out: its operations with their operands. Only the engine's thread uses it once it is made.
class Program : public Held {
 public:
  struct Stage {
    std::shared_ptr<Operation> operation;
    std::vector<uint32_t> places;
    std::vector<bool> isWritten;  // of each operand
    std::vector<std::shared_ptr<Tensor>> committed;
    bool hasTensor = false;  // among its places
  };
  Program(std::vector<Place> places, std::vector<Stage> stages, int64_t arenaBytes, int64_t ownBytes);

  const int64_t arenaBytes;
  const std::vector<Place> &places() const { return places_; }
  char *own() const { return own_->data(); }

  void create();
  void run(const Team &team, char *arena, bool isPoisoned);
  /// A Fault where the place is in a tensor that was dropped.
  char *at(uint32_t place, char *arena) const;
  void release();
  int64_t scratchFloats() const;
  size_t stages() const { return stages_.size(); }
  /// Why it cannot run: not loaded yet, or what went wrong then.
  std::exception_ptr failure;
  /// Seconds that each operation took in all runs since it was asked for first; empty until then.
  std::vector<double> seconds;
  bool isTimed = false;

 private:
  std::vector<Place> places_;
  std::vector<Stage> stages_;
  std::unique_ptr<Bytes> own_;
  char *boundTo_ = nullptr;
  bool isBound_ = false;
  uint64_t tensorPlaces_ = 0;       // of all its tensors, when it was bound
  std::vector<uint64_t> seen_;      // of each stage that runs once: the sum of the versions it ran with
  std::vector<uint64_t> versions_;  // of each place in its own memory: counts its writes
  std::vector<bool> isMade_;        // of each place, where memory is poisoned: was it written in this run?
  void bind(char *arena);
  void poison(const Stage &stage, const Team &team, char *arena);
  uint64_t tensorPlaces() const;
};

/// A thread that does one thing after the other.
class Engine {
 public:
  Engine(int threads, bool isPoisoned);
  ~Engine();
  const int threads;
  /// For tests: memory is full of NaN until it is written. The arena before a run, what a stage is the first to write before
  /// that stage, and the scratch of the threads before every stage.
  const bool isPoisoned;
  /// No other engine of the process ever has it.
  const uint64_t number;

  void queue(std::function<void()> job);
  /// Queues what gives memory back: it is done even where the thread has ended.
  void drop(std::function<void()> release);
  /// What is still in the queue need not be done, and says so.
  std::atomic<bool> isClosing{false};
  /// Ends the thread when the job under way is done; those that wait are dropped.
  void stop();
  /// Stops, and waits until the thread has ended.
  void finish();

  // of the engine's thread
  void load(Program &program);
  /// Before the inputs of a run are taken.
  void poison();
  void run(Program &program);
  /// The arena, for a program that may run in it; a Fault where it may not.
  char *arenaFor(const Program &program) const;
  /// The arena must hold this many bytes from now on. What it held is lost where it has to grow.
  void reserve(int64_t bytes);
  /// It need not hold more than this.
  void trim(int64_t bytes);

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  struct Job {
    std::function<void()> action;
    bool isDrop;
  };
  std::deque<Job> jobs_;
  std::atomic<int64_t> waiting_{0};
  std::atomic<int> asker_{-1};   // the processor from which something was queued last
  std::vector<int> processors_;  // of each thread, where there is one for each
  int elsewhere_ = 0;            // jobs in a row that came from the other thread's processor
  bool isStopped_ = false, hasEnded_ = false;
  std::unique_ptr<Bytes> arena_;
  std::vector<std::unique_ptr<Bytes>> scratch_;
  Team team_;
  std::thread thread_;
  void work();
  void stayBeside(int processor);
  void workUntilStopped();
  void end();
  void prepare(Program &program);
};

}  // namespace fovea
