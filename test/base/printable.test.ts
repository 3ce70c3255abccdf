import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FoveaError } from '../../src/base/errors.ts'
import { printable } from '../../src/base/printable.ts'

const rows: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['letters of all kinds', 'abc äöü 中文 العربية 🙂', 'abc äöü 中文 العربية 🙂'],
  ['letters and emoji that are joined', 'می\u200cخواهم 👩\u200d🔬', 'می\u200cخواهم 👩\u200d🔬'],
  ['escape', '\x1b[2J', '\\u001b[2J'],
  ['bell, newline, return, tab', '\x07\n\r\t', '\\u0007\\u000a\\u000d\\u0009'],
  ['delete and C1', '\x7f\x85\x9b', '\\u007f\\u0085\\u009b'],
  ['separators', '\u2028\u2029', '\\u2028\\u2029'],
  ['overrides', '\u202a\u202b\u202c\u202d\u202e', '\\u202a\\u202b\\u202c\\u202d\\u202e'],
  ['isolates and marks', '\u2066\u2069\u200e\u200f\u061c', '\\u2066\\u2069\\u200e\\u200f\\u061c'],
  ['what nobody sees', '\u200b\u2060\ufeff\u00ad', '\\u200b\\u2060\\ufeff\\u00ad'],
  ['tags beyond 16 bits', '\u{e0041}', '\\udb40\\udc41'],
  ['half a pair', 'a\ud800b', 'a\\ud800b'],
]

for (const [what, text, shown] of rows)
  test(`printable: ${what}`, () => {
    assert.equal(printable(text), shown)
    assert.equal(JSON.parse(printable(JSON.stringify(text))), text, 'within JSON it means the same')
    assert.equal(new FoveaError('E_FILE', { what: text }).message, shown)
  })
