// What JavaScript sees: an engine, its tensors, operations and programs.
#include <napi.h>

#include <algorithm>
#include <set>

#include "engine.hpp"
#include "handle.hpp"
#include "javascript.hpp"
#include "onednn.hpp"
#include "operations.hpp"
#include "program-description.hpp"
#include "tiles.hpp"
#include "vector.hpp"

namespace fovea {
namespace {

/// A request under way: what the engine's thread does, and what becomes of the promise then.
struct Job {
  explicit Job(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}
  Napi::Promise::Deferred deferred;
  std::vector<Napi::Reference<Napi::ArrayBuffer>> results;
  std::string code, where, what;  // of a failure
};

/// The engines of one environment of Node's: the main thread's, or a worker's.
struct Household {
  std::set<Engine *> engines;
};

class NativeEngine : public Napi::ObjectWrap<NativeEngine> {
 public:
  explicit NativeEngine(const Napi::CallbackInfo &call) : Napi::ObjectWrap<NativeEngine>(call) {
    const double threads = call[0].IsNumber() ? call[0].As<Napi::Number>().DoubleValue() : 0;
    guarded(call.Env(), [&] {
      if (!(threads >= 1 && threads <= 1024 && threads == std::floor(threads)))
        throw Fault("E_BUG", "engine", "expected 1 to 1024 threads");
      if (threads > mostThreads())
        throw Fault("E_ENGINE", "native",
                    "OMP_THREAD_LIMIT allows " + std::to_string(mostThreads()) + " threads, not " + std::to_string(int(threads)));
      engine_ = std::make_unique<Engine>(int(threads), call[1].IsBoolean() && call[1].As<Napi::Boolean>().Value());
    });
    household_ = *call.Env().GetInstanceData<std::shared_ptr<Household>>();
    settle_ = Settle::New(call.Env(), "fovea", 0, 1, this);
    settle_.Unref(call.Env());
    // the last hook runs first: no thread is left that could call `settle_` when Node takes that apart
    napi_add_env_cleanup_hook(call.Env(), end, engine_.get());
    household_->engines.insert(engine_.get());
  }
  // `settle_` is not released here: where Node ends, it may be gone already
  ~NativeEngine() override {
    household_->engines.erase(engine_.get());
    napi_remove_env_cleanup_hook(Env(), end, engine_.get());
    engine_->finish();
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {InstanceMethod<&NativeEngine::tensor>("tensor"), InstanceMethod<&NativeEngine::operation>("operation"),
                        InstanceMethod<&NativeEngine::load>("load"), InstanceMethod<&NativeEngine::run>("run"),
                        InstanceMethod<&NativeEngine::reserve>("reserve"), InstanceMethod<&NativeEngine::trim>("trim"),
                        InstanceMethod<&NativeEngine::read>("read"), InstanceMethod<&NativeEngine::write>("write"),
                        InstanceMethod<&NativeEngine::profile>("profile"), InstanceMethod<&NativeEngine::drop>("drop"),
                        InstanceMethod<&NativeEngine::close>("close")});
  }

 private:
  static void end(void *engine) { static_cast<Engine *>(engine)->finish(); }
  static void settled(Napi::Env env, Napi::Function, NativeEngine *self, Job *job);
  void settle(Napi::Env env, const Job &job);
  using Settle = Napi::TypedThreadSafeFunction<NativeEngine, Job, &NativeEngine::settled>;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<Household> household_;
  Settle settle_;
  int waiting_ = 0;
  bool isClosed_ = false;

  void check() const {
    if (isClosed_) throw Fault("E_CLOSED", "native", "the engine was closed");
  }

  /// What a handle of this engine holds.
  template <typename T>
  std::shared_ptr<T> owned(const Napi::Value &value, const std::string &where) const {
    return ownedBy<T>(engine_->number, value, where);
  }

  /// tensor(bytes): a handle.
  Napi::Value tensor(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      check();
      const int64_t bytes = sizeIn(call[0], "tensor");
      auto tensor = std::make_shared<Tensor>(bytes);
      tensor->owner = engine_->number;
      if (!tensor->bytes) throw Fault("E_LIMIT", "tensor", "the host gave no more memory");
      return wrap(call.Env(), tensor, bytes);
    });
  }

  /// operation(description): its handle, with the bytes of scratch and of its packed operand.
  Napi::Value operation(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&]() -> Napi::Value {
      check();
      if (!call[0].IsObject()) throw Fault("E_BUG", "operation", "expected a description");
      const auto object = call[0].As<Napi::Object>();
      const Napi::Value where = object.Get("where");
      const Fields fields(object, where.IsString() ? where.As<Napi::String>().Utf8Value() : "operation");
      setThreads(engine_->threads);
      const auto operation = named(fields.where(), [&] { return makeOperation(fields); });
      operation->owner = engine_->number;
      const Needs needs = needsOf(*operation);
      auto result = Napi::Object::New(call.Env());
      result["handle"] = wrap(call.Env(), operation);
      result["scratch"] = double(needs.scratch);
      result["packed"] = double(needs.packed);
      if (!operation->implementation.empty()) result["implementation"] = operation->implementation;
      auto bytes = Napi::Array::New(call.Env());
      for (size_t i = 0; i < operation->operandBytes.size(); i++) bytes[uint32_t(i)] = double(operation->operandBytes[i]);
      result["operandBytes"] = bytes;
      return result;
    });
  }

  /// load({ arenaBytes, places: [{ in, at, bytes, tensor? | values? }], stages: [{ operation, operands, written }] }):
  /// { program, ready }.
  Napi::Value load(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&]() -> Napi::Value {
      check();
      if (!call[0].IsObject()) throw Fault("E_BUG", "load", "expected a description");
      const Fields fields(call[0].As<Napi::Object>(), "load");
      const auto [program, bytes] = programOf(fields, engine_->number);
      for (const Place &place : program->places())
        if (place.home == Place::Home::shadow && !place.tensor->hasShadow) {
          place.tensor->hasShadow = true;
          report(call.Env(), *place.tensor, place.tensor->reported + place.tensor->size);
        }
      auto result = Napi::Object::New(call.Env());
      result["program"] = wrap(call.Env(), program, bytes);
      result["ready"] = ask(call.Env(), [engine = engine_.get(), program = program](Job &) { engine->load(*program); });
      return result;
    });
  }

  /// reserve(bytes): the arena has these from then on, or more.
  Napi::Value reserve(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      check();
      const int64_t bytes = sizeIn(call[0], "reserve");
      return ask(call.Env(), [engine = engine_.get(), bytes](Job &) { engine->reserve(bytes); });
    });
  }

  /// trim(bytes): the arena need not have more.
  Napi::Value trim(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      check();
      const int64_t bytes = sizeIn(call[0], "trim");
      return ask(call.Env(), [engine = engine_.get(), bytes](Job &) { engine->trim(bytes); });
    });
  }

  /// A place of a program, checked.
  static uint32_t placeIn(const Program &program, const Napi::Value &value) {
    const double place = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(place >= 0 && place < double(program.places().size()) && place == std::floor(place)))
      throw Fault("E_BUG", "run", "expected the number of a place");
    return uint32_t(place);
  }

  /// run(program, [place, values, ...], [place, ...]): the bytes of the outputs, one ArrayBuffer each. Values are taken at once.
  Napi::Value run(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      check();
      const std::shared_ptr<Program> program = owned<Program>(call[0], "run");
      if (!call[1].IsArray() || !call[2].IsArray()) throw Fault("E_BUG", "run", "expected lists of inputs and outputs");
      const auto inputs = call[1].As<Napi::Array>(), outputs = call[2].As<Napi::Array>();
      if (inputs.Length() % 2 != 0) throw Fault("E_BUG", "run", "expected values for each place");
      struct Input {
        uint32_t place;
        std::vector<char> bytes;
      };
      auto given = std::make_shared<std::vector<Input>>();
      for (uint32_t i = 0; i + 1 < inputs.Length(); i += 2) {
        const uint32_t place = placeIn(*program, inputs.Get(i));
        const auto [from, size] = bytesIn(inputs.Get(i + 1), "run");
        if (int64_t(size) > program->places()[place].bytes) throw Fault("E_BUG", "run", "an input is larger than its place");
        given->push_back({place, std::vector<char>(from, from + size)});
      }
      std::vector<std::pair<uint32_t, char *>> taken;
      std::vector<Napi::Reference<Napi::ArrayBuffer>> results;
      for (uint32_t i = 0; i < outputs.Length(); i++) {
        const uint32_t place = placeIn(*program, outputs.Get(i));
        auto buffer = newBuffer(call.Env(), program->places()[place].bytes, "run");
        taken.emplace_back(place, static_cast<char *>(buffer.Data()));
        results.push_back(Napi::Persistent(buffer));
      }
      return ask(
          call.Env(),
          [engine = engine_.get(), program, given, taken](Job &) {
            char *arena = engine->arenaFor(*program);
            if (engine->isPoisoned) engine->poison();
            for (const Input &input : *given) std::copy(input.bytes.begin(), input.bytes.end(), program->at(input.place, arena));
            engine->run(*program);
            for (const auto &[place, to] : taken) std::copy_n(program->at(place, arena), program->places()[place].bytes, to);
          },
          std::move(results));
    });
  }

  /// read(tensor, bytes): an ArrayBuffer.
  Napi::Value read(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      check();
      const std::shared_ptr<Tensor> tensor = owned<Tensor>(call[0], "read");
      const int64_t bytes = sizeIn(call[1], "read");
      if (bytes > tensor->size) throw Fault("E_BUG", "read", "more bytes than there are");
      auto buffer = newBuffer(call.Env(), bytes, "read");
      std::vector<Napi::Reference<Napi::ArrayBuffer>> results;
      results.push_back(Napi::Persistent(buffer));
      return ask(
          call.Env(), [tensor, bytes, to = static_cast<char *>(buffer.Data())](Job &) { std::copy_n(tensor->bytes->data(), bytes, to); },
          std::move(results));
    });
  }

  /// write(tensor, values): taken at once.
  Napi::Value write(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      check();
      const std::shared_ptr<Tensor> tensor = owned<Tensor>(call[0], "write");
      const auto [from, size] = bytesIn(call[1], "write");
      if (int64_t(size) > tensor->size) throw Fault("E_BUG", "write", "has more bytes than the tensor");
      auto bytes = std::make_shared<std::vector<char>>(from, from + size);
      return ask(call.Env(), [tensor, bytes](Job &) {
        std::copy(bytes->begin(), bytes->end(), tensor->bytes->data());
        tensor->version++;
      });
    });
  }

  /// profile(program): seconds that each stage took in all runs since the first such call.
  Napi::Value profile(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      check();
      const std::shared_ptr<Program> program = owned<Program>(call[0], "profile");
      auto buffer = newBuffer(call.Env(), int64_t(program->stages() * sizeof(double)), "profile");
      std::vector<Napi::Reference<Napi::ArrayBuffer>> results;
      results.push_back(Napi::Persistent(buffer));
      return ask(
          call.Env(),
          [program, to = static_cast<double *>(buffer.Data())](Job &) {
            program->isTimed = true;
            std::copy(program->seconds.begin(), program->seconds.end(), to);
          },
          std::move(results));
    });
  }

  /// drop(handle of a tensor or a program): its memory is given back when what was asked for before is done.
  Napi::Value drop(const Napi::CallbackInfo &call) {
    return guarded(call.Env(), [&] {
      if (!dropped<Tensor>(call) && !dropped<Program>(call)) throw Fault("E_BUG", "drop", "expected the handle of a tensor or a program");
      return call.Env().Undefined();
    });
  }
  template <typename T>
  bool dropped(const Napi::CallbackInfo &call) {
    if (!isHandle<T>(call[0])) return false;
    const std::shared_ptr<T> held = unwrap<T>(call[0], "drop");
    if (held->isDropped) return true;
    owned<T>(call[0], "drop");
    held->isDropped = true;
    report(call.Env(), *held, 0);
    engine_->drop([held] { held->release(); });
    return true;
  }

  /// Ends the engine when what is under way is done; all that waits ends with E_CLOSED.
  Napi::Value close(const Napi::CallbackInfo &call) {
    if (!isClosed_) {
      isClosed_ = true;
      engine_->isClosing = true;
      engine_->queue([engine = engine_.get(), settle = settle_]() mutable {
        engine->stop();
        settle.Release();
      });
    }
    return call.Env().Undefined();
  }

  Napi::Value ask(Napi::Env env, std::function<void(Job &)> action, std::vector<Napi::Reference<Napi::ArrayBuffer>> results = {}) {
    Job *job = new Job(env);
    job->results = std::move(results);
    const Napi::Promise promise = job->deferred.Promise();
    if (waiting_++ == 0) {
      settle_.Ref(env);  // the process lives while somebody waits
      Ref();
    }
    engine_->queue([job, action = std::move(action), settle = settle_, engine = engine_.get()]() mutable {
      try {
        if (engine->isClosing) throw Fault("E_CLOSED", "", "the engine was closed");
        action(*job);
      } catch (const Fault &fault) {
        job->code = fault.code, job->where = fault.where, job->what = fault.what();
      } catch (const std::bad_alloc &) {
        job->code = "E_LIMIT", job->what = "the host gave no more memory";
      } catch (const std::exception &error) {
        job->code = "E_ENGINE", job->what = error.what();
      }
      settle.NonBlockingCall(job);
    });
    return promise;
  }
};

void NativeEngine::settled(Napi::Env env, Napi::Function, NativeEngine *self, Job *job) {
  if (env == nullptr) return;  // Node ends: what the job holds of it may be gone, and goes with the process
  const std::unique_ptr<Job> held(job);
  try {
    self->settle(env, *job);
  } catch (const Napi::Error &) {
    // a worker that is being ended runs no more JavaScript, and nobody waits there any more
  }
}

void NativeEngine::settle(Napi::Env env, const Job &job) {
  const Napi::HandleScope scope(env);
  if (--waiting_ == 0) {
    settle_.Unref(env);
    Unref();
  }
  if (!job.code.empty()) {
    job.deferred.Reject(errorOf(env, job.code, job.where, job.what).Value());
    return;
  }
  auto list = Napi::Array::New(env);
  for (size_t i = 0; i < job.results.size(); i++) list[uint32_t(i)] = job.results[i].Value();
  job.deferred.Resolve(list);
}

Napi::Value info(const Napi::CallbackInfo &call) {
  auto facts = Napi::Object::New(call.Env());
  facts["onednn"] = onednnVersion();
  facts["isa"] = onednnIsa();
  facts["bfloat16"] = onednnHasBfloat16();
  facts["loops"] = loopsName();
  facts["tiles"] = hasTiles();
  facts["compiler"] = "g++ " __VERSION__;
  facts["memory"] = memoryBytes();
  facts["mostThreads"] = mostThreads();
  return facts;
}

/// process.exit takes nothing of Node apart, but all that is static: before that, no engine may be at work with oneDNN.
void endBeforeExit(Napi::Env env, const std::shared_ptr<Household> &household) {
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto leave = Napi::Function::New(env, [household](const Napi::CallbackInfo &) {
    for (Engine *engine : household->engines) engine->finish();
  });
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), leave});
}

Napi::Object fill(Napi::Env env, Napi::Object target) {
  const auto household = std::make_shared<Household>();
  env.SetInstanceData(new std::shared_ptr<Household>(household));
  endBeforeExit(env, household);
  target["info"] = Napi::Function::New(env, info, "info");
  target["Engine"] = NativeEngine::define(env);
  return target;
}

}  // namespace
}  // namespace fovea

static Napi::Object start(Napi::Env env, Napi::Object target) { return fovea::fill(env, target); }
NODE_API_MODULE(fovea, start)
