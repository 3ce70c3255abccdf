import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OptionTable } from '../../src/base/options.ts'
import { datasetOptions } from '../../src/data/datasets/index.ts'
import { dataOptions, drawingSeed } from '../../src/runs/data.ts'

test('every option of every dataset is a flag; what several have is one option', () => {
  const flags: OptionTable = { ...dataOptions, seed: drawingSeed }
  for (const [name, table] of Object.entries(datasetOptions))
    for (const [option, row] of Object.entries(table)) assert.equal(flags[option], row, `${name}: ${option}`)
})
