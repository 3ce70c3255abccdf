#include "operations.hpp"

#include "expression.hpp"
#include "few-channels.hpp"
#include "gradient-pieces.hpp"
#include "one-row.hpp"
#include "onednn.hpp"
#include "pooling.hpp"
#include "simple.hpp"
#include "tiles.hpp"
#include "winograd.hpp"

namespace fovea {

std::shared_ptr<Operation> makeOperation(const Fields &fields) {
  const std::string kind = fields.text("kind");
  if (const auto found = simpleOperations.find(kind); found != simpleOperations.end()) return found->second(fields);
  if (const auto found = productOperations.find(kind); found != productOperations.end()) return found->second(fields);
  if (kind == "elementwise") return makeElementwise(fields);
  if (kind == "sum") return makeSum(fields);
  if (kind == "pooling") return makePooling(fields);
  if (kind == "fewChannels") return makeFewChannels(fields);
  if (kind == "fewChannelsGradient") return makeFewChannelsGradient(fields);
  if (kind == "gradientPieces") return makeGradientPieces(fields);
  if (kind == "winograd") return makeWinograd(fields);
  if (kind == "winogradKernel") return makeWinogradKernel(fields);
  if (kind == "oneRow") return makeOneRow(fields);
  if (kind == "rowWeights") return makeRowWeights(fields);
  if (kind == "tiledGradient") return makeTiledGradient(fields);
  if (kind == "tiledConvolution") return makeTiledConvolution(fields);
  if (kind == "tiledKernel") return makeTiledKernel(fields);
  throw fields.wrong("kind", "that of an operation");
}

}  // namespace fovea
