/** Training steps by hand beside those of `fit`, in turns, on every engine. */
import type { Entrant } from './contestants.ts'
import { median } from './measure.ts'
import type { Answered } from './protocol.ts'

export interface LowLevelFigure {
  readonly engine: string
  /** Images per second. */
  readonly byHand: number
  readonly fit: number
  /** Median over rounds of by hand / fit. */
  readonly ratio: number
  readonly rounds: number
}

export async function lowLevelTurns(entrants: readonly Entrant[], rounds: number): Promise<LowLevelFigure[]> {
  const figures: LowLevelFigure[] = []
  for (const entrant of entrants) {
    const turns: Answered['lowLevel'][] = []
    const contestant = await entrant.process('')
    for (let round = 0; round < rounds; round++)
      turns.push(await contestant.ask('lowLevel', { first: round % 2 === 0 ? 'by hand' : 'fit' }))
    entrant.close()
    figures.push({
      engine: entrant.name,
      byHand: median(turns.map((turn) => turn['by hand'])),
      fit: median(turns.map(({ fit }) => fit)),
      ratio: median(turns.map((turn) => turn['by hand'] / turn.fit)),
      rounds,
    })
  }
  return figures
}
