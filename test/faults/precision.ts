/** What mixed precision rounds, and what it must not. */
import type { Fault } from './fault.ts'

const file = 'src/compile/precision.ts'

export const precision: readonly Fault[] = [
  {
    name: 'bfloat16: ties go up',
    file: 'src/graph/dtype.ts',
    find: '0x7fff + ((bits[0] >>> 16) & 1)',
    replace: '0x8000',
    tests: ['precision', 'reference: golden'],
  },
  {
    name: 'bfloat16: digits are cut off',
    file: 'src/graph/dtype.ts',
    find: ' + 0x7fff + ((bits[0] >>> 16) & 1)',
    replace: '',
    tests: ['precision', 'reference: golden'],
  },
  {
    name: 'bfloat16: some NaN become infinities',
    file: 'src/graph/dtype.ts',
    find: 'if (Number.isNaN(x)) return x',
    replace: '',
    tests: ['precision: PyTorch'],
  },
  {
    name: 'the reference engine rounds nothing',
    file: 'src/engines/reference/engine.ts',
    find: "output.dtype === 'bfloat16'",
    replace: "output.dtype === 'uint8'",
    tests: ['reference: golden', 'precision: option'],
  },
  {
    name: 'products read what they are given',
    file,
    find: "how === 'bfloat16' || (how",
    replace: '(how',
    tests: ['precision', 'reference: golden'],
  },
  {
    name: 'what leads to no product is stored as bfloat16',
    file,
    find: '!pinned.has(node) && leads.has(node)',
    replace: '!pinned.has(node)',
    tests: ['precision: stored'],
  },
  {
    name: 'what comes from no product is stored as bfloat16',
    file,
    find: '(mayBe && (comes.has(node) || isOnlyFor))',
    replace: 'mayBe',
    tests: ['precision: stored'],
  },
  {
    name: 'what comes from a product is kept as float32',
    file,
    find: '(comes.has(node) || isOnlyFor)',
    replace: 'isOnlyFor',
    tests: ['precision: stored'],
  },
  {
    name: 'logits are rounded',
    file,
    find: '...updates.map(([, next]) => next), ...float32]))',
    replace: '...updates.map(([, next]) => next)]))',
    tests: ['precision: stored'],
  },
  {
    name: 'what a view of logits shows is rounded',
    file,
    find: "pinned.has(node) && node.op.row.kind === 'view'",
    replace: 'false',
    tests: ['precision: shall stay'],
  },
  {
    name: 'vectors go on as bfloat16 where they are broadcast',
    file,
    find: "(reads(user) === 'alike' || sameShape(x.shape, user.shape))",
    replace: "(reads(user) === 'alike' || x.shape.length <= user.shape.length)",
    tests: ['precision: stored'],
  },
  {
    name: 'a tail takes rows of bfloat16',
    file: 'src/compile/fuse.ts',
    find: "return dtype === 'float32' && (",
    replace: 'return isFloat(dtype) && (',
    tests: ['precision: tail'],
  },
  {
    name: 'programs are shared by precisions',
    file: 'src/network/session.ts',
    find: '{precision} $',
    replace: '{0} $',
    tests: ['precision: option'],
  },
  {
    name: 'a model forgets its precision',
    file: 'src/network/placement.ts',
    find: 'this.#engine = { ...wanted, precision }',
    replace: 'this.#engine = wanted',
    tests: ['precision: option'],
  },
  {
    name: 'a checkpoint of another precision is taken',
    file: 'src/training/checkpointing.ts',
    find: 'precision: session.precision',
    replace: "precision: 'float32'",
    tests: ['resume: those of another'],
  },
  {
    name: 'models round their logits',
    file: 'src/network/graphs.ts',
    find: 'halted, sub(1, ok)]], float32 }',
    replace: 'halted, sub(1, ok)]] }',
    tests: ['precision: option'],
  },
]
