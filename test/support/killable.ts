/** A training for test/training/resume.test.ts to kill: `node killable.ts <folder>` begins it, or goes on with it. */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { layers, type Model, sequential } from '../../src/index.ts'

const { conv2d, maxPooling2d, flatten, dense, dropout, batchNormalization } = layers

/** All that could go wrong: statistics, masks, an order of samples. */
export const net = (): Model =>
  sequential({ inputShape: [28, 28, 1], seed: 1, threads: 2 }, [
    conv2d({ filters: 4, kernelSize: 5, strides: 3, useBias: false }),
    batchNormalization(),
    maxPooling2d(),
    flatten(),
    dropout({ rate: 0.25 }),
    dense({ units: 10 }),
  ])

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { train } = await import('./small-model.ts')
  const say = (line: string): void => void writeSync(1, `${line}\n`)
  const model = net()
  await model.fit(train, {
    epochs: 15,
    batchSize: 32,
    validationSplit: 0.1,
    checkpoints: { folder: process.argv[2], every: 3 },
    resume: true,
    callbacks: [
      {
        onTrainBegin: ({ resumed }) => say(`begin ${resumed?.step ?? 0}`),
        onBatchEnd: ({ step }) => say(`step ${step}`),
      },
    ],
  })
  say(
    `end ${createHash('sha256')
      .update(await model.toBytes())
      .digest('hex')}`,
  )
}
