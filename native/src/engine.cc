#include "engine.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <future>
#include <set>
#include <system_error>

#include "onednn.hpp"

namespace fovea {

void Tensor::release() {
  bytes.reset();
  shadow.reset();
  places++;
}

Program::Program(std::vector<Place> places, std::vector<Stage> stages, int64_t arenaBytes, int64_t ownBytes)
    : arenaBytes(arenaBytes),
      places_(std::move(places)),
      stages_(std::move(stages)),
      seen_(stages_.size(), 0),
      versions_(places_.size(), 0) {
  for (Stage &stage : stages_)
    for (const uint32_t place : stage.places) stage.hasTensor = stage.hasTensor || places_[place].tensor;
  own_ = Bytes::allocate(ownBytes + SLACK);
  if (!own_) throw Fault("E_LIMIT", "program", "the host gave no more memory");
  failure = std::make_exception_ptr(Fault("E_BUG", "program", "it was not loaded"));
}

void Program::create() {
  for (const Place &place : places_) {
    if (place.tensor && !place.tensor->bytes) throw Fault("E_CLOSED", "program", "a tensor of it was closed");
    if (place.home != Place::Home::shadow || place.tensor->shadow) continue;
    place.tensor->shadow = Bytes::allocate(place.tensor->size + SLACK);
    if (!place.tensor->shadow) throw Fault("E_LIMIT", "tensor", "the host gave no more memory");
  }
  for (const Stage &stage : stages_) named(stage.operation->where, [&] { stage.operation->create(); });
}

void Program::release() {
  failure = std::make_exception_ptr(Fault("E_CLOSED", "program", "it was closed"));
  isBound_ = false;
  stages_.clear();
  for (Place &place : places_) place.tensor.reset();
  own_.reset();
}

int64_t Program::scratchFloats() const {
  int64_t most = 0;
  for (const Stage &stage : stages_) most = std::max(most, stage.operation->scratchFloats);
  return most;
}

char *Program::at(uint32_t place, char *arena) const {
  const Place &one = places_[place];
  if (one.tensor && !one.tensor->bytes) throw Fault("E_CLOSED", "program", "a tensor of it was closed");
  if (one.home == Place::Home::tensor) return one.tensor->bytes->data();
  if (one.home == Place::Home::shadow) return one.tensor->shadow->data();
  return (one.home == Place::Home::arena ? arena : own_->data()) + one.at;
}

void Program::bind(char *arena) {
  const bool isAll = !isBound_ || boundTo_ != arena;
  isBound_ = false;  // where a tensor is gone, nothing runs
  std::vector<char *> operands;
  for (const Stage &stage : stages_) {
    if (!isAll && !stage.hasTensor) continue;  // after a commit
    operands.clear();
    for (const uint32_t place : stage.places) operands.push_back(at(place, arena));
    stage.operation->bind(operands);
  }
  boundTo_ = arena;
  isBound_ = true;
  tensorPlaces_ = tensorPlaces();
}

uint64_t Program::tensorPlaces() const {
  uint64_t sum = 0;
  for (const Place &place : places_)
    if (place.tensor) sum += place.tensor->places;
  return sum;
}

/// NaN as float32 and as bfloat16.
static void fillWithNaN(void *memory, int64_t bytes) { std::memset(memory, 0xff, size_t(bytes)); }

/// What the stage is the first to write, but for memory that it takes over from what it reads.
void Program::poison(const Stage &stage, const Team &team, char *arena) {
  for (float *scratch : team.scratch) fillWithNaN(scratch, stage.operation->scratchFloats * 4);
  for (size_t k = 0; k < stage.places.size(); k++) {
    const uint32_t place = stage.places[k];
    const Place &one = places_[place];
    if (!stage.isWritten[k] || isMade_[place] || one.home == Place::Home::tensor) continue;
    isMade_[place] = true;
    char *begin = at(place, arena);
    bool isTaken = false;
    for (size_t other = 0; other < stage.places.size(); other++) {
      const char *from = at(stage.places[other], arena);
      isTaken = isTaken || (!stage.isWritten[other] && from < begin + one.bytes && begin < from + places_[stage.places[other]].bytes);
    }
    if (!isTaken) fillWithNaN(begin, one.bytes);
  }
}

void Program::run(const Team &team, char *arena, bool isPoisoned) {
  if (isPoisoned) isMade_.assign(places_.size(), false);
  if (!isBound_ || boundTo_ != arena || tensorPlaces_ != tensorPlaces()) bind(arena);
  if (isTimed && seconds.size() != stages_.size()) seconds.assign(stages_.size(), 0);
  for (size_t i = 0; i < stages_.size(); i++) {
    const Stage &stage = stages_[i];
    uint64_t now = 0;
    if (stage.operation->isOnce) {
      uint64_t versions = 1;
      for (size_t k = 0; k < stage.places.size(); k++) {
        const Place &place = places_[stage.places[k]];
        if (stage.isWritten[k]) continue;
        if (place.tensor) versions += place.tensor->version;
        if (place.home == Place::Home::own) versions += versions_[stage.places[k]];
      }
      if (seen_[i] == versions) continue;
      now = versions;
    }
    if (isPoisoned) poison(stage, team, arena);
    const auto start = isTimed ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point{};
    named(stage.operation->where, [&] { stage.operation->run(team); });
    seen_[i] = now;  // only now: what failed runs again
    if (isTimed) seconds[i] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (size_t k = 0; k < stage.places.size(); k++) {
      const Place &place = places_[stage.places[k]];
      if (!stage.isWritten[k]) continue;
      if (place.tensor) place.tensor->version++;
      if (place.home == Place::Home::own) versions_[stage.places[k]]++;
    }
    if (!stage.operation->isCommitted()) continue;
    for (const std::shared_ptr<Tensor> &tensor : stage.committed) {
      std::swap(tensor->bytes, tensor->shadow);
      tensor->version++;
      tensor->places++;
    }
  }
}

namespace {

/// Engines whose threads are to end before oneDNN's own memory goes at the process's end.
struct Living {
  std::mutex mutex;
  std::set<Engine *> engines;
  ~Living() {
    for (Engine *engine : engines) engine->finish();
  }
};
Living &living() {
  static Living all;
  return all;
}

}  // namespace

static uint64_t nextNumber() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

/// OpenMP ends the process where the system gives it no thread: so it is tried before.
static int tried(int threads) {
  std::promise<void> all;
  const std::shared_future<void> until = all.get_future().share();
  std::vector<std::thread> started;
  bool fits = true;
  try {
    started.reserve(size_t(threads));
    for (int i = 0; i < threads; i++) started.emplace_back([until] { until.wait(); });
  } catch (const std::system_error &) {
    fits = false;
  }
  all.set_value();
  for (std::thread &one : started) one.join();
  if (!fits) throw Fault("E_ENGINE", "engine", "the system gives no " + std::to_string(threads) + " threads");
  return threads;
}

Engine::Engine(int threads, bool isPoisoned)
    : threads(tried(threads)), isPoisoned(isPoisoned), number(nextNumber()), thread_([this] { work(); }) {
  const std::lock_guard<std::mutex> lock(living().mutex);
  living().engines.insert(this);
}

Engine::~Engine() {
  finish();
  const std::lock_guard<std::mutex> lock(living().mutex);
  living().engines.erase(this);
}

void Engine::finish() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Engine::queue(std::function<void()> job) {
  asker_ = sched_getcpu();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back({std::move(job), false});
    waiting_++;
  }
  wake_.notify_one();
}

void Engine::drop(std::function<void()> release) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!hasEnded_) {
      jobs_.push_back({std::move(release), true});
      waiting_++;
      wake_.notify_one();
      return;
    }
  }
  release();
}

void Engine::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    isStopped_ = true;
  }
  wake_.notify_one();
}

/// The processors that the process may use, where they are as many as the engine's threads.
static std::vector<int> processorsFor(int threads) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) != threads) return {};
  std::vector<int> processors;
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &allowed)) processors.push_back(i);
  return processors;
}

/// One processor for each thread, where they are as many: else the system may wake two of them on one, and whoever waits for
/// the other within a kernel waits for milliseconds (a step of the deep CIFAR-10 net in bfloat16 took twice as long). libgomp
/// ends threads when a kernel asks for fewer, and those that it starts again begin where the first one may run: with three or
/// more of them the first is left free, or they would all run on its processor. False where the system refuses it.
static bool pinThreads(const std::vector<int> &processors) {
  const int threads = int(processors.size());
  if (threads == 0) return true;
  std::atomic<bool> fits{true};
#pragma omp parallel num_threads(threads)
  if (const int thread = omp_get_thread_num(); thread > 0 || threads == 2) {
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(processors[size_t(thread)], &own);
    if (sched_setaffinity(0, sizeof(own), &own) != 0) fits = false;
  }
  return fits;
}

/// Of two threads the one that takes calls runs on the processor from which they come: it lets go of it between them, the
/// other looks for work there without a break. One picture of LeNet takes 0.16 ms then, else 0.25, of mnistCnn 0.34 and 0.47.
void Engine::stayBeside(int processor) {
  if (processors_.size() != 2) return;
  elsewhere_ = processor == processors_[1] ? elsewhere_ + 1 : 0;
  if (elsewhere_ < 16) return;
  elsewhere_ = 0;
  std::swap(processors_[0], processors_[1]);
  if (pinThreads(processors_)) return;
  std::swap(processors_[0], processors_[1]);
  pinThreads(processors_);  // as they were, where that is still allowed
  processors_.clear();      // somebody has changed where the process may run
}

void Engine::work() {
  setThreads(threads);
  processors_ = processorsFor(threads);
  pinThreads(processors_);
  team_.threads = threads;
  workUntilStopped();
  end();
}

/// What waits is forgotten, but for what gives memory back; so is what the programs shared.
void Engine::end() {
  std::deque<Job> rest;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    hasEnded_ = true;
    rest.swap(jobs_);
  }
  for (const Job &job : rest)
    if (job.isDrop) job.action();
  arena_.reset();
  scratch_.clear();
  team_.scratch.clear();
}

void Engine::workUntilStopped() {
  for (;;) {
    std::function<void()> job;
    // whoever asks for one small answer after the other does so again at once: sleeping and waking would take longer
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    while (waiting_ == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return isStopped_ || !jobs_.empty(); });
      if (isStopped_) return;
      job = std::move(jobs_.front().action);
      jobs_.pop_front();
      waiting_--;
    }
    stayBeside(asker_);
    job();
  }
}

void Engine::reserve(int64_t bytes) {
  if (arena_ && arena_->size() >= bytes + SLACK) return;
  const int64_t before = arena_ ? arena_->size() : 0;
  arena_.reset();  // first, so that the host need not hold both
  arena_ = Bytes::allocate(bytes + SLACK);
  if (arena_) return;
  arena_ = Bytes::allocate(before);  // the smaller programs continue
  throw Fault("E_LIMIT", "arena", "the host gave no more memory");
}

void Engine::trim(int64_t bytes) {
  if (!arena_ || arena_->size() / 2 <= bytes + SLACK) return;
  arena_.reset();
  arena_ = Bytes::allocate(bytes + SLACK);
}

void Engine::load(Program &program) {
  try {
    prepare(program);
    program.failure = nullptr;
  } catch (...) {
    program.failure = std::current_exception();
    throw;
  }
}

void Engine::prepare(Program &program) {
  program.create();
  const int64_t floats = program.scratchFloats();
  if (!scratch_.empty() && scratch_[0]->size() >= floats * 4) return;
  std::vector<std::unique_ptr<Bytes>> larger;
  for (int i = 0; i < threads; i++) {
    larger.push_back(Bytes::allocate(floats * 4 + SLACK));
    if (!larger.back()) throw Fault("E_LIMIT", "scratch", "the host gave no more memory");
  }
  scratch_ = std::move(larger);
  team_.scratch.clear();
  for (const auto &one : scratch_) team_.scratch.push_back(reinterpret_cast<float *>(one->data()));
}

char *Engine::arenaFor(const Program &program) const {
  if (program.failure) std::rethrow_exception(program.failure);
  if (program.arenaBytes == 0) return arena_ ? arena_->data() : nullptr;
  if (!arena_ || arena_->size() < program.arenaBytes + SLACK)
    throw Fault("E_LIMIT", "arena", "there are no " + std::to_string(program.arenaBytes) + " bytes for the program");
  return arena_->data();
}

void Engine::poison() {
  if (arena_) fillWithNaN(arena_->data(), arena_->size());
}

void Engine::run(Program &program) { program.run(team_, arenaFor(program), isPoisoned); }

}  // namespace fovea
