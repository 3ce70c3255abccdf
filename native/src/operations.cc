#include "operations.hpp"

#include "depthwise.hpp"
#include "expression.hpp"
#include "few-channels.hpp"
#include "gradient-pieces.hpp"
#include "one-row.hpp"
#include "onednn.hpp"
#include "pooling.hpp"
#include "simple.hpp"
#include "tiles.hpp"
#include "window-sum.hpp"
#include "winograd.hpp"

namespace fovea {

namespace {

/// Those that have a file of their own.
const std::map<std::string, OperationMaker> ownOperations = {
    {"elementwise", makeElementwise},
    {"sum", makeSum},
    {"windowSum", makeWindowSum},
    {"pooling", makePooling},
    {"fewChannels", makeFewChannels},
    {"fewChannelsGradient", makeFewChannelsGradient},
    {"gradientPieces", makeGradientPieces},
    {"depthwiseGradient", makeDepthwiseGradient},
    {"winograd", makeWinograd},
    {"winogradKernel", makeWinogradKernel},
    {"oneRow", makeOneRow},
    {"rowWeights", makeRowWeights},
    {"tiledGradient", makeTiledGradient},
    {"tiledConvolution", makeTiledConvolution},
    {"tiledKernel", makeTiledKernel},
};

}  // namespace

std::shared_ptr<Operation> makeOperation(const Fields &fields) {
  const std::string kind = fields.text("kind");
  for (const auto *operations : {&simpleOperations, &productOperations, &ownOperations})
    if (const auto found = operations->find(kind); found != operations->end()) return found->second(fields);
  throw fields.wrong("kind", "that of an operation");
}

}  // namespace fovea
