/** Fovea's public face: a table of contents. */

export type { RasterizeOptions } from '#platform'
export { decodeImage, encodePng, rasterize } from '#platform'
export type { ErrorCode, ErrorKind } from './base/errors.ts'
// errors
export { errorCodes, exitCodes, FoveaError } from './base/errors.ts'
/** What options of your own layers are made of: `options.integer({ says, min: 1 })`. */
export * as options from './base/makers.ts'
export type { Engine, Numbers } from './compile/engine.ts'
export type { Precision } from './compile/precision.ts'
export type { Program } from './compile/program.ts'
export { compile } from './compile/program.ts'
export { State } from './compile/state.ts'
export { allocateBatch } from './data/batch.ts'
export type { Batch, Dataset, Description, Fields, Parts, Reading, TransformStep } from './data/dataset.ts'
// data
export { datasets } from './data/datasets/index.ts'
export type { Image, PictureSource, RgbaPixels } from './data/image.ts'
export { fromArrays } from './data/in-memory.ts'
export type { Preprocessing, PreprocessingOptions } from './data/preprocessing.ts'
export { preprocess } from './data/preprocessing.ts'
export { split, subset, take } from './data/subset.ts'
export type { Transform } from './data/transformed.ts'
export { transform } from './data/transformed.ts'
export { engines, openEngine } from './engines/index.ts'
export type { DType, TensorSpec, TypedArray } from './graph/dtype.ts'
export type { Node } from './graph/node.ts'
// the graph underneath: ops, gradients, programs over a state
export { constant, input as placeholder, variable } from './graph/node.ts'
// models
export { loadModel, model, modelFrom, sequential } from './model/build.ts'
export type {
  EvaluateOptions,
  FindBatchSizeOptions,
  FindLearningRateOptions,
  ModelFitOptions as FitOptions,
  PredictOptions,
} from './model/call-options.ts'
export type { ModelOptions } from './model/model.ts'
export { Model } from './model/model.ts'
export type { PictureGiven } from './model/pictures.ts'
export type { Answer, Prediction, Ranked } from './model/prediction.ts'
export type { Samples } from './model/samples.ts'
export type { GraphGoals, GraphOptions, LayerNodes, LayerUse, ModelGraph, RunOptions } from './network/model-graph.ts'
export type { LossChoice, MetricsChoice } from './network/objective.ts'
export type { SummaryOptions } from './network/summary.ts'
export { defineLayer } from './nn/define-layer.ts'
export type { DrawOptions } from './nn/draws.ts'
export type { Initializer } from './nn/initializers.ts'
export type { ForwardContext, Forwarded, Layer, LayerRow, Tensor } from './nn/layer.ts'
export { input } from './nn/layer.ts'
export { layers } from './nn/layers/index.ts'
export type { Loss, LossName } from './nn/losses.ts'
export type { Metric, MetricName } from './nn/metrics.ts'
export type { Optimizer } from './nn/optimizers.ts'
export type { LearningRate, Schedule } from './nn/schedules.ts'
export { gradients } from './ops/gradient.ts'
export { ops } from './ops/public.ts'
export { callbacks } from './training/callbacks/index.ts'
export type { BatchSizeSearch, TriedSize } from './training/find-batch-size.ts'
export type { RateSearch } from './training/find-rate.ts'
export type {
  Callback,
  EpochRecord,
  GradientStep,
  History,
  Logs,
  Progress,
  TrainingControl,
  TrainingInfo,
} from './training/history.ts'
export type { DoneStep, PauseControl } from './training/pause.ts'
export { trainingControl } from './training/pause.ts'
export type { StageShare, StepProfile } from './training/profile.ts'
export type { Batches, GivenBatch } from './training/stream.ts'
export { zoo } from './zoo/index.ts'
