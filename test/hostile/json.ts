/** What may happen to JSON: values of other types, keys of the prototype, keys twice, numbers out of range, other references. */
import fc from 'fast-check'
import { parseJson } from '../../src/base/json.ts'

interface Change {
  readonly kind: keyof typeof changes
  readonly at: number
  readonly other: number
}

type Holder = Record<PropertyKey, unknown>
interface Place {
  readonly holder: Holder
  readonly key: string
}

/** Stands for lists within lists until the text is made: `JSON.stringify` itself cannot write very deep ones. */
const nested = (depth: number): string => `nested ${depth}`
const written = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /"nested (\d+)"/g,
    (_, depth) => '['.repeat(Number(depth)) + ']'.repeat(Number(depth)),
  )

/** Made anew each time, so that no change reaches into another file. Told as text, where `__proto__` is a key like any other. */
const strangers = [
  ...['null', 'true', 'false', '""', '"x"', '"__proto__"', '"constructor"', '[]', '{}', '[[]]', '[null]', '{"":0}'],
  ...['-1', '-0', '0', '1', '2', '3', '0.5', '1e308', '-1e308', `${2 ** 30}`, `${2 ** 31}`, `${2 ** 32}`],
  ...[`${2 ** 53 - 1}`, `${2 ** 53}`, `[${2 ** 30}, ${2 ** 30}]`, '[1, 1]', '[-1]', '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]'],
  ...[
    '{"__proto__": {"type": "dense"}}',
    '{"toString": 1, "valueOf": 1}',
    '{"constructor": {"name": {"toString": 1}}}',
  ],
  ...['{"type": "dense", "options": {"units": 1073741824}}', '{"input": "again", "shape": [2]}', '{"toJSON": {}}'],
]
const keys = ['__proto__', 'constructor', 'toString', 'length', '', 'name', 'type', 'options', 'input', 'shape', 'a/b']

const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null

/** Every place of a value but its root, at most 40 deep. */
function placesOf(value: unknown, depth = 0): Place[] {
  if (!isHolder(value) || depth > 40) return []
  return Object.keys(value).flatMap((key) => [{ holder: value, key }, ...placesOf(value[key], depth + 1)])
}

function put({ holder, key }: Place, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true })
}

const get = ({ holder, key }: Place): unknown => holder[key]

/** Each changes the value at a place; `other` chooses what comes there. */
const changes = {
  replace: (place, { other }) => put(place, JSON.parse(strangers[other % strangers.length])),
  nest: (place, { other }) => put(place, nested([3, 50, 20_000][other % 3])),
  remove: ({ holder, key }) => (Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key]),
  rename: (place, { other }) => {
    if (Array.isArray(place.holder)) return
    const value = get(place)
    delete place.holder[place.key]
    put({ holder: place.holder, key: keys[other % keys.length] }, value)
  },
  add: ({ holder }, { other }) => {
    const value = JSON.parse(strangers[other % strangers.length])
    if (Array.isArray(holder)) holder.push(value)
    else put({ holder, key: keys[other % keys.length] }, value)
  },
  repeat: ({ holder, key }) => {
    if (Array.isArray(holder)) holder.splice(Number(key), 0, holder[Number(key)])
  },
  copy: (place, { other }, places) => put(place, structuredClone(get(places[other % places.length]))),
  swap: (place, { other }, places) => {
    const from = places[other % places.length]
    const [here, there] = [structuredClone(get(place)), structuredClone(get(from))]
    put(place, there)
    if (from.key in from.holder) put(from, here)
  },
  /** The next number, or the one before. */
  step: (place, { other }) => {
    const value = get(place)
    if (typeof value === 'number') put(place, value + (other % 2 === 0 ? 1 : -1))
  },
} as const satisfies Record<string, (place: Place, change: Omit<Change, 'kind'>, places: readonly Place[]) => unknown>

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom(...(Object.keys(changes) as Change['kind'][])),
  at: fc.nat(),
  other: fc.nat(),
})

/** How a JSON text is damaged: its values changed, then, in one text of four, a member said twice. */
export const jsonDamage: fc.Arbitrary<(text: string) => string> = fc
  .tuple(fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(3), fc.nat())
  .map(([list, chance, at]) => (text: string) => {
    const value = parseJson(text, (what) => new Error(what)) // V8's own misreads some escaped keys, now and then
    for (const one of list) {
      const places = placesOf(value)
      if (places.length > 0) changes[one.kind](places[one.at % places.length], one, places)
    }
    const changed = written(value)
    const members = [...changed.matchAll(/[{,]("[^"\\]*":)/g)]
    if (chance > 0 || members.length === 0) return changed
    const { index, 1: key } = members[at % members.length]
    return `${changed.slice(0, index + 1)}${key}${strangers[at % strangers.length]},${changed.slice(index + 1)}`
  })
