/** The readers' guards are taken away, one at a time: the tables of what is refused must notice every one. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type * as Bytes from '../../src/base/bytes.ts'
import type { ErrorCode } from '../../src/base/errors.ts'
import type * as Options from '../../src/base/options.ts'
import type * as Idx from '../../src/files/idx.ts'
import type * as Safetensors from '../../src/files/safetensors.ts'
import type * as ModelFile from '../../src/saved/model-file.ts'
import { failure } from '../support/failure.ts'
import type { Guard } from './guards.ts'
import { guardsOf } from './guards.ts'
import * as idx from './idx-refused.ts'
import * as model from './model-refused.ts'
import * as options from './options-refused.ts'
import * as safetensors from './safetensors-refused.ts'
import { startHooks, withoutGuard } from './unguarded.ts'

/** What is called with rows of a table: bytes of files, options, or content that cannot be written. */
interface Caller {
  readonly entry: string
  /** The call, made of what the entry exports. */
  readonly call: (module: never) => (given: never) => unknown
  readonly code?: ErrorCode
  readonly refused: readonly (readonly [...unknown[]])[]
}

const callers = {
  bytes: {
    entry: 'src/base/bytes.ts',
    call:
      ({ ByteReader }: typeof Bytes) =>
      (count: number) =>
        new ByteReader(new Uint8Array(2), 'f').take(count, 'x'),
    refused: [['a negative count', -1, 'the file ends within x']],
  },
  idx: {
    entry: 'src/files/idx.ts',
    call: (m: typeof Idx) => (bytes: Uint8Array) => m.readIdx(bytes, 'f'),
    refused: idx.refused,
  },
  idxWriter: {
    entry: 'src/files/idx.ts',
    call: (m: typeof Idx) => m.writeIdx,
    code: 'E_SHAPE',
    refused: idx.unwritable,
  },
  safetensors: {
    entry: 'src/files/safetensors.ts',
    call: (m: typeof Safetensors) => (bytes: Uint8Array) => m.readSafetensors(bytes, 'f'),
    refused: safetensors.refused,
  },
  safetensorsWriter: {
    entry: 'src/files/safetensors.ts',
    call: (m: typeof Safetensors) => m.writeSafetensors,
    code: 'E_SHAPE',
    refused: safetensors.unwritable,
  },
  options: {
    entry: 'src/base/options.ts',
    call: (m: typeof Options) => (given: unknown) => m.settle(options.tableOf(m), given, 'conv2d'),
    code: 'E_OPTION',
    refused: options.refused.map(([given, ...words]) => [words[0], given, ...words]),
  },
  kinds: {
    entry: 'src/base/options.ts',
    call:
      (m: typeof Options) =>
      ([name, value]: [keyof ReturnType<typeof options.kindsOf>, unknown]) =>
        m.settle({ [name]: options.kindsOf(m)[name] }, { [name]: value }, 'at'),
    code: 'E_OPTION',
    refused: options.ofKinds.flatMap(([name, , wrong]) =>
      wrong.map(([value, ...words]) => [`${name}: ${String(words[0])}`, [name, value], ...words]),
    ),
  },
  model: {
    entry: 'src/saved/model-file.ts',
    call: (m: typeof ModelFile) => (bytes: Uint8Array) => m.modelFromBytes(bytes, 'f'),
    refused: model.refused,
  },
  large: {
    entry: 'src/saved/model-file.ts',
    call: (m: typeof ModelFile) => (bytes: Uint8Array) => m.modelFromBytes(bytes, 'f'),
    refused: model.refusedLarge,
  },
  newer: {
    entry: 'src/saved/model-file.ts',
    call: (m: typeof ModelFile) => (bytes: Uint8Array) => m.modelFromBytes(bytes, 'f'),
    code: 'E_VERSION',
    refused: model.newer,
  },
  modelWriter: {
    entry: 'src/saved/model-file.ts',
    call: (m: typeof ModelFile) => (v: unknown) => m.networkToJson(model.holding(v), 'sequential'),
    code: 'E_OPTION',
    refused: model.unsaved,
  },
  deepWriter: {
    entry: 'src/saved/model-file.ts',
    call: (m: typeof ModelFile) => (v: unknown) => m.networkToJson(model.holding(v), 'sequential'),
    code: 'E_LIMIT',
    refused: model.unsavedDeep,
  },
} as const satisfies Record<string, Caller>

/** Whose guards are taken away, and which callers may notice. */
const guarded: Readonly<Record<string, readonly (keyof typeof callers)[]>> = {
  'src/base/bytes.ts': ['bytes', 'idx', 'safetensors'],
  'src/base/json.ts': ['safetensors', 'model', 'large'],
  'src/base/settle.ts': ['options', 'kinds', 'model'],
  'src/base/kinds.ts': ['options', 'kinds', 'model'],
  'src/files/idx.ts': ['idx', 'idxWriter'],
  'src/files/safetensors.ts': ['safetensors', 'safetensorsWriter', 'model'],
  'src/saved/model-file.ts': ['model', 'newer', 'modelWriter', 'deepWriter'],
  'src/network/network.ts': ['model'],
  'src/nn/layer.ts': ['model'],
  'src/nn/initializers.ts': ['model'],
  'src/data/preprocessing.ts': ['model'],
  'src/data/class-names.ts': ['model'],
}

/** Guards that nothing notices, and why that is right: `file: text`. */
const spared: Readonly<Record<string, string>> = {
  'src/base/settle.ts: given !== null': 'the kind of a row looks at the form first; for calls from code',
  "src/base/settle.ts: wantOptions(given, what, ['type'])": 'the same',
  "src/network/network.ts: tensor.source.kind !== 'input'": 'a file names as inputs only what input(...) made',
  'src/network/network.ts: places.has(tensor)': 'all inputs of a file are named',
  'src/network/network.ts: terms.length > 0': 'of the loss in training, not of files',
  'src/files/safetensors.ts: dataStart - 8 > maxHeader': 'a header of 100 MB takes seconds to write',
  'src/files/safetensors.ts: values > headerLimits.maxValues': 'half a million tensors take seconds to write',
  'src/nn/initializers.ts: isRight': 'asked when weights are drawn; those of a file are given',
  "src/nn/initializers.ts: wantAxes(shape.length === 2, 'identity', 'two axes', shape)": 'the same',
  "src/nn/initializers.ts: wantAxes(shape.length >= 2, 'orthogonal', 'two axes or more', shape)": 'the same',
  "src/nn/initializers.ts: wantAxes(shape.length >= 2, 'torchDefault', 'two axes or more, or a layer that says the fan in', shape)":
    'the same',
  'src/nn/initializers.ts: !Number.isFinite(values[i])': 'the same',
  "src/nn/layer.ts: 'options' in value": 'layers of a list from code; those of a file are made by their kinds',
  "src/nn/layer.ts: 'row' in value": 'the same',
  "src/nn/layer.ts: typeof value === 'function'": 'the same',
  'src/nn/layer.ts: isPlain(specs)': 'the weights of a layer of your own; files have none',
  'src/nn/layer.ts: Object.values(specs).every(isWeightSpec)': 'the same',
  'src/nn/layer.ts: isPlain(spec)': 'the same',
  "src/nn/layer.ts: isShape(spec['shape'])": 'the same',
  "src/nn/layer.ts: 'initializer' in spec": 'the same',
  'src/nn/layer.ts: wantPenalty(penalty, output, row)': 'the penalty of a layer of your own; files have none',
  'src/nn/layer.ts: !isNode(given)': 'a forward of a layer of your own; files have none',
  'src/nn/layer.ts: penalty === undefined || (isNode(penalty) && sameShape(penalty.shape, [n]))': 'the same',
  "src/nn/initializers.ts: wantShape(shape, 'initialValues')":
    'a shape that a program gives; layers of a file say their own',
  'src/nn/layer.ts: stranger >= 0': 'calls of a file are made on tensors',
  'src/nn/layer.ts: wantRow(type, row as unknown as AnyLayerRow)':
    'a file holds no code: kinds of layers are defined by programs',
  'src/nn/layer.ts: areWords': 'the same',
  'src/nn/layer.ts: areFunctions': 'the same',
  'src/nn/layer.ts: areOptions': 'the same',
  'src/nn/layer.ts: taken !== undefined': 'asked when a kind of layer is defined',
}

const hooks = startHooks()
after(() => hooks.deregister())

test('with every guard in its place, all of it is refused', async () => {
  for (const name of Object.keys(callers) as (keyof typeof callers)[]) {
    const fault = faultIn(callers[name], await import(join('../..', callers[name].entry)))
    assert.equal(fault, undefined, name)
  }
})

/** The first row that is not refused as it should be, or undefined. */
function faultIn({ call, refused, code = 'E_FILE' }: Caller, module: unknown): string | undefined {
  const act = call(module as never)
  for (const [rule, given, ...words] of refused) {
    try {
      assert.throws(() => act(given as never), failure(code, ...(words as string[])))
    } catch {
      return String(rule)
    }
  }
  return undefined
}

async function isNoticed(guard: Guard): Promise<boolean> {
  for (const name of guarded[guard.file]) {
    const caller: Caller = callers[name]
    if (faultIn(caller, await withoutGuard(caller.entry, guard)) !== undefined) return true
  }
  return false
}

for (const file of Object.keys(guarded)) {
  const guards = guardsOf(file)
  const excused = Object.keys(spared).filter((key) => key.startsWith(`${file}: `))
  test(`${file}: ${guards.length - excused.length} of ${guards.length} guards are missed when they are away`, async () => {
    assert.ok(guards.length > 0)
    const unnoticed: string[] = []
    for (const guard of guards) if (!(await isNoticed(guard))) unnoticed.push(`${file}: ${guard.text}`)
    const hint = 'add a row to test/hostile/*-refused.ts that needs the guard, or spare it here with the reason'
    assert.deepEqual(unnoticed.sort(), excused.sort(), hint)
  })
}
