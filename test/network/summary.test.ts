/** Summaries against what Keras printed: golden/summary/, and for the way of Keras 2.11 rows of its prints. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Network } from '../../src/network/network.ts'
import { wire } from '../../src/network/network.ts'
import { asItIs } from '../../src/network/subnetwork.ts'
import type { SummaryOptions, SummaryRow, SummaryView } from '../../src/network/summary.ts'
import { countText, sizeText, summaryText, unbuiltView, viewOf } from '../../src/network/summary.ts'
import type { Layer, Tensor } from '../../src/nn/layer.ts'
import { input } from '../../src/nn/layer.ts'
import { layers } from '../../src/nn/layers/index.ts'
import { failure } from '../support/failure.ts'

const { conv2d, maxPooling2d, flatten, dense, dropout, concatenate, add } = layers
const golden = (file: string): string => readFileSync(new URL(`../golden/summary/${file}.txt`, import.meta.url), 'utf8')

function stack(name: string, first: Record<string, Tensor>, ...list: Layer[]): Network {
  const output = list.reduce((tensor, layer) => layer(tensor), Object.values(first)[0])
  return wire(name, first, { output })
}

const conv = (filters: number, name?: string) => conv2d({ filters, kernelSize: 3, ...(name && { name }) })
const picture = { input_layer: input([28, 28, 1]) }
const three = stack('sequential', picture, conv(32), conv(64), conv(64))

const chollet = stack(
  'sequential',
  picture,
  ...[conv(32), maxPooling2d(), conv(64), maxPooling2d(), conv(64), flatten()],
  ...[dense({ units: 64 }), dense({ units: 10 })],
)

const long = 'a_convolution_with_a_long_name_that_needs_more_than_one_line_of_any_table'
const wide = stack(
  'wide '.repeat(12),
  { input: input([64, 64, 3]) },
  conv2d({ filters: 64, kernelSize: 7, name: long }),
  flatten(),
  dense({ units: 64, name: 'fc' }),
)

function residual(): Network {
  const same = (name: string, kernelSize = 3) => conv2d({ filters: 4, kernelSize, padding: 'same', name })
  const x = input([8, 8, 4])
  const y = same('a')(x)
  const sum = add({ name: 'sum' })(same('shortcut', 1)(y), same('c')(same('b')(y)))
  const outputs = { flat: flatten({ name: 'flat' })(sum), small: maxPooling2d({ name: 'small' })(sum) }
  return wire('residual', { picture: x }, outputs)
}

function siamese(): Network {
  const [left, right, unused] = [input([8, 8, 1]), input([8, 8, 1]), input([3])]
  const both = conv(2, 'both')
  const pair = concatenate({ name: 'pair' })(both(left), both(right))
  const score = dense({ units: 2, name: 'score' })(flatten({ name: 'flat' })(pair))
  return wire('siamese', { left, right, unused }, { score })
}

/** A row of a view made by hand, for layers that stand in no table yet. */
function row(name: string, className: string, params?: number, given: Partial<SummaryRow> = {}): SummaryRow {
  const rest = { shape: undefined, trainableParams: params ?? 0, frozen: false, connectedTo: [] }
  return { name, className, params, ...rest, ...given }
}

const unbuilt: SummaryView = {
  name: 'sequential_2',
  chain: true,
  rows: [
    row('conv2d_6', 'Conv2D'),
    row('batch_normalization', 'BatchNormalization'),
    row('dropout', 'Dropout', 0),
    row('flatten_1', 'Flatten'),
    row('dense_2', 'Dense'),
  ],
}

const frozen: SummaryView = {
  name: 'sequential_2',
  chain: true,
  rows: [
    row('conv2d_6', 'Conv2D', 320, { shape: [26, 26, 32], trainableParams: 0, frozen: true }),
    row('batch_normalization', 'BatchNormalization', 128, { shape: [26, 26, 32], trainableParams: 64 }),
    row('dropout', 'Dropout', 0, { shape: [26, 26, 32] }),
    row('flatten_1', 'Flatten', 0, { shape: [21632] }),
    row('dense_2', 'Dense', 216330, { shape: [10] }),
  ],
}

const branching: SummaryView = {
  name: 'functional_3',
  chain: false,
  rows: [
    row('input_layer_3', 'InputLayer', 0, { shape: [28, 28, 3] }),
    row('conv2d_7', 'Conv2D', 32, { shape: [28, 28, 8], connectedTo: ['input_layer_3[0][0]'] }),
    row('conv2d_8', 'Conv2D', 224, { shape: [28, 28, 8], connectedTo: ['input_layer_3[0][0]'] }),
    row('concatenate', 'Concatenate', 0, { shape: [28, 28, 16], connectedTo: ['conv2d_7[0][0]', 'conv2d_8[0][0]'] }),
    row('add', 'Add', 0, { shape: [28, 28, 16], connectedTo: ['concatenate[0][0]', 'concatenate[0][0]'] }),
    row('global_average_pooling2d', 'GlobalAveragePooling2D', 0, { shape: [16], connectedTo: ['add[0][0]'] }),
    row('dense_3', 'Dense', 170, { shape: [10], connectedTo: ['global_average_pooling2d[0][0]'] }),
  ],
}

const functional = stack('functional', picture, conv(8), maxPooling2d(), flatten(), dense({ units: 10 }))
const pause = dropout({ rate: 0.3, name: 'pause' })
const waiting = [conv(3), maxPooling2d(), pause, flatten(), conv(3), dense({ units: 3 })]

const prints: [file: string, view: SummaryView, options?: SummaryOptions][] = [
  ...[20, 30, 40, 80, 120].map((columns): [string, SummaryView, SummaryOptions] => [
    `sequential-${columns}`,
    viewOf(three, { kind: 'sequential' }),
    { columns },
  ]),
  ['unbuilt-80', unbuilt],
  ['waiting-80', unbuiltView('sequential', waiting)],
  ['frozen-80-trainable', frozen, { showTrainable: true }],
  ['frozen-40-trainable', frozen, { showTrainable: true, columns: 40 }],
  ['branching-80', branching],
  ['branching-40', branching, { columns: 40 }],
  ['branching-120', branching, { columns: 120 }],
  ['branching-80-trainable', branching, { showTrainable: true }],
  ['branching-140-trainable', branching, { showTrainable: true, columns: 140 }],
  ['chain-80', viewOf(functional, { kind: 'functional' })],
  ['wide-40', viewOf(wide, { kind: 'functional' }), { columns: 40 }],
  ['wide-80', viewOf(wide, { kind: 'functional' })],
  ['residual-80', viewOf(residual(), { kind: 'functional' })],
  ['residual-200', viewOf(residual(), { kind: 'functional' }), { columns: 200 }],
  ['shared-80', viewOf(siamese(), { kind: 'functional' })],
  ['trained-80', viewOf(chollet, { kind: 'sequential', optimizerParams: 186646 })],
  ['keras2-sequential', keras2Numbered(), { style: 'keras2' }],
]

/** That print's layers were not the first of their session. */
function keras2Numbered(): SummaryView {
  const view = viewOf(three, { kind: 'sequential' })
  return { ...view, name: 'sequential_1', rows: view.rows.map((row, i) => ({ ...row, name: `conv2d_${4 + i}` })) }
}

for (const [file, view, options] of prints)
  test(`prints ${file}.txt`, () => {
    assert.equal(`${summaryText(view, options)}\n`, golden(file))
  })

// Rows from prints of TensorFlow 2.8 to 2.11: a long word goes on below and pushes the other columns of its line.
const keras2Rows: [row: SummaryRow, chain: boolean, lines: string[], options?: SummaryOptions][] = [
  [
    row('max_pooling2d', 'MaxPooling2D', 0, { shape: [13, 13, 32] }),
    true,
    [
      ' max_pooling2d (MaxPooling2D  (None, 13, 13, 32)       0         ',
      ' )                                                               ',
    ],
  ],
  [
    row('batch_normalization', 'BatchNormalization', 128, { shape: [13, 13, 32] }),
    true,
    [
      ' batch_normalization (BatchN  (None, 13, 13, 32)       128       ',
      ' ormalization)                                                   ',
    ],
  ],
  [
    row('input_1', 'InputLayer', 0, { shape: [224, 224, 3] }),
    false,
    [
      ' input_1 (InputLayer)           [(None, 224, 224, 3  0           []                               ',
      '                                )]                                                                ',
    ],
  ],
  [
    row('max_pooling2d_1', 'MaxPooling2D', 0, { shape: [8, 8, 32], connectedTo: ['conv2d_3[0][0]'] }),
    false,
    [" max_pooling2d_1 (MaxPooling2D)  (None, 8, 8, 32)    0           ['conv2d_3[0][0]']               "],
  ],
  [
    row('add', 'Add', 0, { shape: [16, 16, 32], connectedTo: ['max_pooling2d[0][0]', 'conv2d_2[0][0]'] }),
    false,
    [
      " add (Add)                      (None, 16, 16, 32)   0           ['max_pooling2d[0][0]',          ",
      "                                                                  'conv2d_2[0][0]']               ",
    ],
  ],
  [
    row('dropout', 'Dropout', 0, { shape: [10], frozen: true }),
    true,
    [' dropout (Dropout)           (None, 10)                0         N          '],
    { showTrainable: true },
  ],
]

for (const [row, chain, lines, options] of keras2Rows)
  test(`keras2 row of ${row.name}${options ? ', trainable' : ''}`, () => {
    const text = summaryText({ name: 'm', chain, rows: [row] }, { style: 'keras2', ...options }).split('\n')
    assert.deepEqual(text.slice(4, 4 + lines.length), lines)
    assert.equal(text[4 + lines.length], ' '.repeat(lines[0].length))
  })

test('frozen layers learn nothing', () => {
  const { layer } = three.layers[1]
  layer.trainable = false
  const { rows } = viewOf(asItIs(three), { kind: 'sequential' })
  layer.trainable = true
  assert.deepEqual(
    rows.map(({ params, trainableParams }) => [params, trainableParams]),
    [
      [320, 320],
      [18496, 0],
      [36928, 36928],
    ],
  )
})

test('a layer that is used twice in a row is no chain', () => {
  const again = conv2d({ filters: 1, kernelSize: 3, name: 'again' })
  const x = input([28, 28, 1])
  const { chain, rows } = viewOf(wire('m', { x }, { y: again(again(x)) }), { kind: 'functional' })
  assert.equal(chain, false)
  assert.deepEqual(rows[1].connectedTo, ['x[0][0]', 'again[0][0]'])
  assert.deepEqual(rows[1].shape, [24, 24, 1]) // of its last use
})

test('a terminal too narrow for Keras gets the narrowest table', () => {
  const view = viewOf(three, { kind: 'sequential' })
  const table = (columns: number) => summaryText(view, { columns }).match(/┏.*┘/s)?.[0]
  assert.equal(table(1), table(20)) // Keras throws below 20
})

test('a line length goes before the terminal', () => {
  const view = viewOf(three, { kind: 'sequential' })
  assert.equal(summaryText(view, { lineLength: 76 }), summaryText(view))
  assert.equal(summaryText(view, { lineLength: 88, columns: 60 }), summaryText(view, { columns: 92 }))
  const lines = summaryText(view, { lineLength: 100, style: 'keras2' }).split('\n')
  assert.equal(lines[4].length, 100)
})

test('a style that nobody knows', () => {
  const style = 'keras1' as 'keras2'
  assert.throws(() => summaryText(frozen, { style }), failure('E_OPTION', 'keras3'))
})

// As keras.src.utils.summary_utils.readable_memory_size says it; Python rounds halves to even.
const sizes: [bytes: number, text: string][] = [
  [0, '0.00 B'],
  [1023, '1023.00 B'],
  [1024, '1.00 KB'],
  [1152, '1.12 KB'],
  [1408, '1.38 KB'],
  [222976, '217.75 KB'],
  [1024 ** 2 - 1, '1024.00 KB'],
  [1119872, '1.07 MB'],
  [553430176, '527.79 MB'],
  [28219596800, '26.28 GB'],
]
for (const [bytes, text] of sizes) test(`${bytes} bytes are ${text}`, () => assert.equal(sizeText(bytes), text))

test('a count with its size', () => assert.equal(countText(138357544), '138,357,544 (527.79 MB)'))
