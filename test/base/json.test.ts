/** Our reader of JSON against JSON.parse: the same values, the same texts refused, and what it refuses besides. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJson } from '../../src/base/json.ts'
import { damaged } from '../hostile/damage.ts'

class Complaint extends Error {
  readonly at: number
  constructor(what: string, at: number) {
    super(what)
    this.at = at
  }
}
const parse = (text: string, limits = {}): unknown => parseJson(text, (what, at) => new Complaint(what, at), limits)
const how = { seed: 1, numRuns: 2_000 }

test('json: what JSON.stringify writes comes back, keys to the letter', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }),
      fc.constantFrom('', ' ', '\n\t'),
      (value, space) => {
        const text = JSON.stringify(value, null, space) + space
        assert.equal(JSON.stringify(parse(text)), JSON.stringify(value))
      },
    ),
    how,
  )
})

test('json: what JSON.parse refuses is refused, and no more than equal keys besides', () => {
  const texts = fc.jsonValue({ maxDepth: 4, noUnicodeString: true }).map((value) => Buffer.from(JSON.stringify(value)))
  let refused = 0
  fc.assert(
    fc.property(damaged(texts), (bytes) => {
      const text = Buffer.from(bytes).toString('latin1')
      const [theirs, ours] = [JSON.parse, parse].map((parser) => {
        try {
          return { value: parser(text) }
        } catch (error) {
          return { error }
        }
      })
      if ('error' in ours) refused++
      const isOurRule = ours.error instanceof Complaint && / twice$|too deeply/s.test(ours.error.message)
      if (!isOurRule) assert.equal('error' in ours, 'error' in theirs, text)
      if (ours.error) assert.ok(ours.error instanceof Complaint && ours.error.at <= text.length + 1, String(ours.error))
    }),
    how,
  )
  assert.ok(refused > how.numRuns / 4 && refused < how.numRuns, `${refused} refused`)
})

test('json: keys that V8 takes for others (nodejs/node#63785)', () => {
  parse('{"h":[],"\\\\":0}')
  JSON.parse('{"h":[],"\\\\":0}')
  assert.deepEqual(Object.keys(parse('{"h":1,"\\"":2}') as object), ['h', '"'])
})

const refused: [text: string, what: string, at: number, limits?: object][] = [
  ['{"a":1,"b":2,"\\u0061":3}', "says 'a' twice", 13],
  ['[[[]]]', 'is nested too deeply', 2, { maxDepth: 1 }],
  ['[1,2,3]', 'holds too many values', 5, { maxValues: 3 }],
  ['', 'is not JSON', 0],
  ['[1 2]', "no ']'", 3],
  ['{"a" 1}', "no ':'", 5],
  ['{,}', 'no key', 1],
  ['"\n"', 'is not JSON', 0],
  ['"a', 'is not JSON', 0],
  ['01', 'is not JSON', 0],
  ['NaN', 'is not JSON', 0],
  ['\u00a01', 'is not JSON', 0],
  ['1 x', 'more after its end', 2],
]
for (const [text, what, at, limits] of refused)
  test(`json: refuses ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parse(text, limits),
      (error) => {
        assert.ok(error instanceof Complaint)
        assert.ok(error.message.includes(what), error.message)
        assert.equal(error.at, at)
        return true
      },
    )
  })

test('json: a key of the prototype is a key', () => {
  const value = parse('{"__proto__":{"a":1},"toString":2}') as object
  assert.deepEqual(Object.entries(value), [
    ['__proto__', { a: 1 }],
    ['toString', 2],
  ])
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
})
