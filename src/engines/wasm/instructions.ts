/** Instructions by name, operands first: `f32x4.add(a, b)` is the code that leaves their sum. */
import type { Code } from './assembler.ts'
import { signed, unsigned } from './assembler.ts'

const simd = (opcode: number): Code => [0xfd, unsigned(opcode)]
const unary =
  (opcode: Code) =>
  (x: Code): Code => [x, opcode]
const binary =
  (opcode: Code) =>
  (a: Code, b: Code): Code => [a, b, opcode]
/** Alignment is only a hint; 0 claims nothing. */
const place = (offset: number): Code => [0, unsigned(offset)]
const load =
  (opcode: Code) =>
  (address: Code, offset = 0): Code => [address, opcode, place(offset)]
const loadLane =
  (opcode: number) =>
  (address: Code, vector: Code, lane: number, offset = 0): Code => [address, vector, simd(opcode), place(offset), lane]
const storeLane =
  (opcode: number) =>
  (address: Code, vector: Code, lane: number, offset = 0): Code => [address, vector, simd(opcode), place(offset), lane]

const floatBytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)]
const intBytes = (value: number): number[] => [...new Uint8Array(Int32Array.of(value).buffer)]

export const i32 = {
  const: (value: number): Code => [0x41, signed(value)],
  add: (a: Code, b: Code | number): Code => (b === 0 ? a : [a, typeof b === 'number' ? i32.const(b) : b, 0x6a]),
  sub: (a: Code, b: Code): Code => [a, b, 0x6b],
  mul: (a: Code, b: Code | number): Code => (b === 1 ? a : [a, typeof b === 'number' ? i32.const(b) : b, 0x6c]),
  div: (a: Code, b: number): Code => (b === 1 ? a : [a, i32.const(b), 0x6e]),
  rem: (a: Code, b: number): Code => (b === 1 ? i32.const(0) : [a, i32.const(b), 0x70]),
  and: binary(0x71),
  shr: binary(0x76),
  lessUnsigned: binary(0x49),
  less: binary(0x48),
  greaterEqual: binary(0x4e),
  equal: binary(0x46),
  /** The smaller of two signed integers; both are evaluated twice, so give locals or constants. */
  min: (a: Code, b: Code): Code => [a, b, [a, b, 0x48], 0x1b],
  /** The larger of two signed integers; the same. */
  max: (a: Code, b: Code): Code => [a, b, [b, a, 0x48], 0x1b],
  load: (address: Code, offset = 0): Code => [address, 0x28, place(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [address, value, 0x36, place(offset)],
  store8: (address: Code, value: Code, offset = 0): Code => [address, value, 0x3a, place(offset)],
  load8: (address: Code, offset = 0): Code => [address, 0x2d, place(offset)],
} as const

export const v128 = {
  load: load(simd(0x00)),
  loadSplat: load(simd(0x09)),
  load32Zero: load(simd(0x5c)),
  load64Zero: load(simd(0x5d)),
  store: (address: Code, value: Code, offset = 0): Code => [address, value, simd(0x0b), place(offset)],
  load32Lane: loadLane(0x56),
  store32Lane: storeLane(0x5a),
  store64Lane: storeLane(0x5b),
  and: binary(simd(0x4e)),
  andNot: binary(simd(0x4f)),
  or: binary(simd(0x50)),
  xor: binary(simd(0x51)),
  /** Bits of `a` where `mask` has ones, of `b` elsewhere. */
  select: (mask: Code, a: Code, b: Code): Code => [a, b, mask, simd(0x52)],
  /** Lanes of a (0-3) and b (4-7) by number. */
  shuffle: (a: Code, b: Code, lanes: readonly [number, number, number, number]): Code => [
    a,
    b,
    simd(0x0d),
    lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)),
  ],
} as const

export const f32x4 = {
  const: (value: number): Code => [simd(0x0c), Array(4).fill(floatBytes(value))],
  lanes: (values: readonly number[]): Code => [simd(0x0c), values.map(floatBytes)],
  add: binary(simd(0xe4)),
  sub: binary(simd(0xe5)),
  mul: binary(simd(0xe6)),
  div: binary(simd(0xe7)),
  min: binary(simd(0xe8)),
  max: binary(simd(0xe9)),
  abs: unary(simd(0xe0)),
  neg: unary(simd(0xe1)),
  sqrt: unary(simd(0xe3)),
  floor: unary(simd(0x68)),
  nearest: unary(simd(0x6a)),
  eq: binary(simd(0x41)),
  ne: binary(simd(0x42)),
  lt: binary(simd(0x43)),
  gt: binary(simd(0x44)),
  le: binary(simd(0x45)),
  fromInt: unary(simd(0xfa)),
} as const

/** Two doubles a vector; `widen` takes the lower two floats, `narrow` leaves zeros in the upper two. */
export const f64x2 = {
  const: (value: number): Code => [simd(0x0c), Array(2).fill([...new Uint8Array(Float64Array.of(value).buffer)])],
  add: binary(simd(0xf0)),
  sub: binary(simd(0xf1)),
  mul: binary(simd(0xf2)),
  div: binary(simd(0xf3)),
  min: binary(simd(0xf4)),
  max: binary(simd(0xf5)),
  nearest: unary(simd(0x94)),
  widen: unary(simd(0x5f)),
  narrow: unary(simd(0x5e)),
} as const

export const i32x4 = {
  const: (value: number): Code => [simd(0x0c), Array(4).fill(intBytes(value))],
  lanes: (values: readonly number[]): Code => [simd(0x0c), values.map(intBytes)],
  splat: unary(simd(0x11)),
  add: binary(simd(0xae)),
  sub: binary(simd(0xb1)),
  eq: binary(simd(0x37)),
  less: binary(simd(0x39)),
  lessUnsigned: binary(simd(0x3a)),
  min: binary(simd(0xb6)),
  shiftLeft: (x: Code, bits: number): Code => [x, i32.const(bits), simd(0xab)],
  shiftRight: (x: Code, bits: number): Code => [x, i32.const(bits), simd(0xac)],
  shiftRightUnsigned: (x: Code, bits: number): Code => [x, i32.const(bits), simd(0xad)],
  fromFloat: unary(simd(0xf8)),
  extractLane: (x: Code, lane: number): Code => [x, simd(0x1b), lane],
  /** The four bytes in the lowest lane as four integers. */
  fromBytes: (x: Code): Code => [x, simd(0x89), simd(0xa9)],
} as const

/** 64-bit integers, only for counters. */
export const i64 = {
  const: (value: number): Code => [0x42, signed(value)],
  fromUnsigned: unary(0xad),
  toInt: unary(0xa7),
  add: binary(0x7c),
  mul: binary(0x7e),
  shiftRight: (x: Code, bits: number): Code => [x, i64.const(bits), 0x88],
} as const

export const i64x2 = {
  multiplyLow: binary(simd(0xde)),
  multiplyHigh: binary(simd(0xdf)),
} as const

/** a * b + c in one rounding where the host has relaxed SIMD, in two elsewhere. */
export const multiplyAdd = (fused: boolean) =>
  fused
    ? (a: Code, b: Code, c: Code): Code => [a, b, c, simd(0x105)]
    : (a: Code, b: Code, c: Code): Code => f32x4.add(f32x4.mul(a, b), c)
