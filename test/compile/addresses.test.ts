/** Where buffers are placed: the lowest address that is free, among pieces by chance and by a rule that is easy to see through. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Addresses } from '../../src/compile/addresses.ts'
import { planMemory } from '../../src/compile/memory.ts'
import type { Buffer } from '../../src/compile/step.ts'
import { uniform } from '../support/tensors.ts'

interface Piece {
  readonly first: number
  readonly last: number
  readonly address: number
  readonly end: number
}

/** The lowest of 0 and the ends of all pieces from which nothing that lives at the same time is met. */
function lowest(taken: readonly Piece[], first: number, last: number, space: number): number {
  const rivals = taken.filter((x) => x.first <= last && first <= x.last)
  const isFree = (from: number): boolean => rivals.every((x) => x.end <= from || from + space <= x.address)
  return Math.min(...[0, ...rivals.map(({ end }) => end)].filter(isFree))
}

test('the lowest free address, whatever came before', () => {
  const draw = uniform(3)
  const below = (n: number) => Math.floor(draw() * n)
  for (let round = 0; round < 60; round++) {
    const [pieces, times] = [1 + below(60), 1 + below(30)]
    const addresses = new Addresses(pieces)
    const taken: Piece[] = []
    for (let i = 0; i < pieces; i++) {
      const first = below(times)
      const last = first + below(times - first)
      const space = 16 * (1 + below(6))
      const address = addresses.take(first, last, space)
      assert.equal(address, lowest(taken, first, last, space))
      taken.push({ first, last, address, end: address + space })
    }
  }
})

test('what is alive at once, counted at every time', () => {
  const draw = uniform(4)
  const below = (n: number) => Math.floor(draw() * n)
  const rules = { alignment: 64, slack: 16, inPlace: false }
  for (let round = 0; round < 40; round++) {
    const buffers = Array.from({ length: 2 + below(20) }, (): Buffer => ({ bytes: below(300), home: { in: 'arena' } }))
    const stages = buffers.map((made, i) => ({
      reads: buffers.slice(0, i).filter(() => below(4) === 0),
      writes: [made],
    }))
    const after = buffers.filter(() => below(5) === 0)
    const alive = stages.map((_, time) =>
      buffers
        .filter(
          (made, i) =>
            i <= time &&
            (after.includes(made) || stages.slice(time).some((x) => x.reads.includes(made) || x.writes.includes(made))),
        )
        .reduce((sum, { bytes }) => sum + Math.ceil((bytes + 16) / 64) * 64, 0),
    )
    assert.equal(planMemory(stages, [], after, rules).liveBytes, Math.max(...alive))
  }
})
