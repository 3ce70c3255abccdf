/** Faults of data: what is drawn, what is read ahead, what tells datasets apart. */
import type { Fault } from './fault.ts'

export const data: readonly Fault[] = [
  {
    name: 'every epoch is augmented as the first',
    file: 'src/data/draws.ts',
    find: 'this.#epoch = epoch',
    replace: 'this.#epoch = Math.min(epoch, 1)',
    tests: ['transforms'],
  },
  {
    name: 'transforms of a list draw the same numbers',
    file: 'src/data/draws.ts',
    find: "stream('augment', place)",
    replace: "stream('augment', place * 0)",
    tests: ['transforms'],
  },
  {
    name: 'evaluate augments',
    file: 'src/data/transformed.ts',
    find: "mode === 'train'",
    replace: "mode !== 'train' || epoch >= 0",
    tests: ['transforms'],
  },
  {
    name: 'reflect leaves the border out, as another convention has it',
    file: 'src/data/transforms/fill.ts',
    find: 'period - 1 - turned',
    replace: 'period - 2 - turned',
    tests: ['transforms'],
  },
  {
    name: 'the last place of a crop is never drawn',
    file: 'src/data/transforms/random-crop.ts',
    find: 'draws.integer(0, most[0] - rows + 1)',
    replace: 'draws.integer(0, Math.max(1, most[0] - rows))',
    tests: ['transforms'],
  },
  {
    name: 'transforms are no part of what tells datasets apart',
    file: 'src/data/data-hash.ts',
    find: '...(transforms ? [transforms] : [])',
    replace: '...[]',
    tests: ['transforms'],
  },
  {
    name: 'a batch with room for more keeps the samples of another',
    file: 'src/data/batch.ts',
    find: 'values.fill(0, (values.length / capacity) * count)',
    replace: 'void values',
    tests: ['reader'],
  },
  {
    name: 'arrays are never used again',
    file: 'src/data/batch.ts',
    find: 'if (free) free.push(batch)',
    replace: 'if (free) void batch',
    tests: ['reader'],
  },
  {
    name: 'a copy of a dataset with another read is described by the old one',
    file: 'src/data/in-memory.ts',
    find: 'this.read === read',
    replace: 'this.length > 0',
    tests: ['reader'],
  },
  {
    name: 'a thread that dies leaves its reader waiting',
    file: 'src/data/reading-threads.ts',
    find: '(why) => this.#end((isUp ? dead : absent)(data.name)(why))',
    replace: '(why) => void why',
    tests: ['reader'],
  },
  {
    name: 'a reader waits for reads that do not listen',
    file: 'src/data/reader.ts',
    find: 'yield await (signal ? unlessAborted(ahead[0], giveUp.signal) : ahead[0])',
    replace: 'yield await ahead[0]',
    tests: ['reader'],
  },
  {
    name: 'resize: rows are lengthened before there are fewer of them',
    file: 'src/data/image.ts',
    find: 'return downThenAlong < alongThenDown / 2',
    replace: 'return false',
    tests: ['image: resize'],
  },
]
