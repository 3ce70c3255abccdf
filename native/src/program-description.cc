#include "program-description.hpp"

#include <algorithm>
#include <set>

#include "handle.hpp"
#include "javascript.hpp"

namespace fovea {

DescribedProgram programOf(const Fields &fields, uint64_t engine) {
  const int64_t arenaBytes = fields.integer("arenaBytes", 0, MOST);
  std::vector<Place> places;
  std::vector<std::pair<int64_t, std::vector<char>>> values;
  int64_t own = 0;
  for (const Fields &given : fields.list("places")) {
    Place place{Place::Home::own, 0, given.integer("bytes", 0, MOST), nullptr};
    const std::string in = given.text("in");
    if (in == "arena") {
      place.home = Place::Home::arena;
      place.at = given.integer("at", 0, MOST);
      if (place.at % 64 != 0) throw given.wrong("at", "a multiple of 64");
      if (place.at + place.bytes > arenaBytes) throw given.wrong("at", "a place within the arena");
    } else if (in == "tensor" || in == "shadow") {
      place.home = in == "tensor" ? Place::Home::tensor : Place::Home::shadow;
      place.tensor = ownedBy<Tensor>(engine, given.value("tensor"), "load");
      if (place.bytes > place.tensor->size) throw given.wrong("tensor", "one that has these bytes");
    } else if (in == "own") {
      place.at = own;
      own += (place.bytes + 127) / 64 * 64;
      if (own > MOST) throw Fault("E_LIMIT", "load", "the program's own memory is too large");
      if (given.has("values")) {
        const auto [from, size] = bytesIn(given.value("values"), "load");
        if (int64_t(size) > place.bytes) throw given.wrong("values", "at most as many bytes as the place has");
        values.emplace_back(place.at, std::vector<char>(from, from + size));
      }
    } else throw given.wrong("in", "arena, tensor, shadow or own");
    places.push_back(std::move(place));
  }
  std::vector<Program::Stage> stages;
  std::set<Operation *> placed;
  for (const Fields &given : fields.list("stages")) {
    Program::Stage stage{ownedBy<Operation>(engine, given.value("operation"), "load"), {}, {}, {}};
    const Sizes operands = given.integers("operands", 0, int64_t(places.size()) - 1);
    const auto &wanted = stage.operation->operandBytes;
    const std::string &where = stage.operation->where;
    if (stage.operation->isPlaced || !placed.insert(stage.operation.get()).second)
      throw Fault("E_BUG", where, "the operation stands in a program already");
    if (operands.size() != wanted.size())
      throw Fault("E_BUG", where, "expected " + std::to_string(wanted.size()) + " operands, got " + std::to_string(operands.size()));
    for (size_t i = 0; i < operands.size(); i++) {
      if (places[operands[i]].bytes < wanted[i])
        throw Fault("E_BUG", where,
                    "operand " + std::to_string(i) + " has " + std::to_string(places[operands[i]].bytes) + " bytes, not " +
                        std::to_string(wanted[i]));
      stage.places.push_back(uint32_t(operands[i]));
    }
    stage.isWritten.assign(operands.size(), false);
    for (const int64_t i : given.integers("written", 0, int64_t(operands.size()) - 1)) stage.isWritten[i] = true;
    if (given.has("committed"))
      for (const int64_t i : given.integers("committed", 0, int64_t(places.size()) - 1)) {
        if (places[i].home != Place::Home::shadow) throw given.wrong("committed", "places in shadows");
        stage.committed.push_back(places[i].tensor);
      }
    stages.push_back(std::move(stage));
  }
  const auto program = std::make_shared<Program>(std::move(places), std::move(stages), arenaBytes, own);
  program->owner = engine;
  for (Operation *operation : placed) operation->isPlaced = true;
  for (const auto &[at, bytes] : values) std::copy(bytes.begin(), bytes.end(), program->own() + at);
  return {program, own};
}

}  // namespace fovea
