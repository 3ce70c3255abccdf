/** Paths with logs in braces, as Keras's ModelCheckpoint takes them: `best-{epoch:02d}-{val_loss:.2f}.safetensors`. */
import { FoveaError } from '../../base/errors.ts'

export interface PathPattern {
  /** No log is in it: it is the same in every epoch. */
  readonly isFixed: boolean
  /** Throws E_OPTION, before an epoch is spent, where a field is none of these logs. */
  check(logs: readonly string[]): void
  /** The path for an epoch; `NA` for a log that it has not. */
  fill(record: Readonly<Record<string, number | undefined>>): string
}

interface Field {
  readonly name: string
  readonly format: Format | undefined
}

/** A part of Python's format: `02d`, `.2f`, `10.4e`. */
interface Format {
  readonly hasZeros: boolean
  readonly width: number
  readonly precision: number
  readonly type: string
}

const FORMAT = /^(0?)(\d{0,2})(?:\.(\d{1,2}))?([dfFeEgG%]?)$/
/** What records have besides logs. */
const counts = ['epoch', 'samples', 'seconds', 'learningRate']
const integers = ['epoch', 'samples']

const wrong = (what: string, got: string): FoveaError =>
  new FoveaError('E_OPTION', {
    what: `'path' ${what}`,
    where: 'modelCheckpoint',
    expected: '{log}, {epoch:02d}, {log:.2f}, {log:.3e} or {log:.3g}; {{ and }} for braces',
    got,
  })

/** Reads a path; throws E_OPTION for braces that do not match and for formats that are none. */
export function pathPattern(path: string): PathPattern {
  const parts: (string | Field)[] = []
  let end = 0
  for (const { 0: found, 1: inner, index } of path.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g)) {
    parts.push(path.slice(end, index))
    end = index + found.length
    if (inner !== undefined) parts.push(fieldOf(inner))
    else if (found.length === 2) parts.push(found[0])
    else throw wrong(`has a ${found} without its pair`, `'${path}'`)
  }
  parts.push(path.slice(end))
  return {
    isFixed: parts.every((part) => typeof part === 'string'),
    check(logs) {
      const known = [...counts, ...logs]
      const stray = parts.find((part) => typeof part !== 'string' && !known.includes(part.name))
      if (stray === undefined) return
      const got = (stray as Field).name
      const expected = known.join(', ')
      throw new FoveaError('E_OPTION', { what: "'path' names no log", where: 'modelCheckpoint', expected, got })
    },
    fill: (record) =>
      parts.map((part) => (typeof part === 'string' ? part : written(part, record[part.name]))).join(''),
  }
}

function fieldOf(inner: string): Field {
  const [, name, text] = /^([^:]*):?(.*)$/s.exec(inner) as unknown as [string, string, string]
  if (!inner.includes(':')) return { name, format: undefined }
  const [, zero, width, precision, type] = FORMAT.exec(text) ?? []
  const isWhole = type === 'd' || type === ''
  if (type === undefined || (isWhole && (precision !== undefined || !integers.includes(name)))) {
    throw wrong('has a format that does not exist', `'{${inner}}'`)
  }
  return {
    name,
    format: { hasZeros: zero === '0', width: Number(width), precision: Number(precision ?? 6), type: type || 'd' },
  }
}

function written({ format }: Field, value: number | undefined): string {
  if (value === undefined) return 'NA'
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  if (!format) return Number.isInteger(value) ? String(value) : value.toFixed(4)
  const { hasZeros, width } = format
  const sign = value < 0 ? '-' : ''
  const digits = digitsOf(Math.abs(value), format)
  return hasZeros ? sign + digits.padStart(width - sign.length, '0') : (sign + digits).padStart(width)
}

function digitsOf(value: number, { precision, type }: Format): string {
  if (type === 'd') return String(value)
  if (type === '%') return `${(value * 100).toFixed(precision)}%`
  const lower = type.toLowerCase()
  const text =
    lower === 'f'
      ? value.toFixed(precision)
      : lower === 'e'
        ? withExponent(value, precision)
        : general(value, precision)
  return type === lower ? text : text.toUpperCase()
}

/** Two digits of exponent at least, as in C and Python. */
const withExponent = (value: number, precision: number): string =>
  value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')

/** `g`: so many digits, without zeros at the end, in the shorter of both forms. */
function general(value: number, precision: number): string {
  const digits = Math.max(1, precision)
  const scientific = withExponent(value, digits - 1)
  const exponent = Number(scientific.slice(scientific.indexOf('e') + 1))
  if (exponent >= -4 && exponent < digits) return trimmed(value.toFixed(digits - 1 - exponent))
  const [mantissa, power] = scientific.split('e')
  return `${trimmed(mantissa)}e${power}`
}

const trimmed = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)
