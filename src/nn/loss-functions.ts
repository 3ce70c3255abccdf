/** The losses as functions of logits and labels, for training steps of your own. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { isNode } from '../graph/node.ts'
import { shapeText } from '../graph/shape.ts'
import type { Loss, LossName } from './losses.ts'
import { lossNames, lossPerSample, lossRow, settleLoss } from './losses.ts'

type LossOptions<N extends LossName> = Omit<Extract<Loss, { readonly type: N }>, 'type'>

function lossOf(type: LossName, logits: unknown, labels: unknown, options: unknown): Node {
  const where = `losses.${type}`
  const stray = [logits, labels].find((x) => !isNode(x) || x.shape.length === 0)
  if (stray !== undefined || !isNode(logits) || !isNode(labels)) {
    const got = isNode(stray) ? shapeText(stray.shape) : show(stray)
    throw new FoveaError('E_GRAPH', { what: 'needs two nodes', where, expected: 'logits and labels, [n, ...]', got })
  }
  if (options !== undefined && typeof options !== 'object')
    throw new FoveaError('E_OPTION', { what: 'options must be one object', where, got: show(options) })
  const loss = settleLoss({ ...options, type } as Loss)
  const [[n, ...output], [count, ...shape]] = [logits.shape, labels.shape]
  const target = { shape, dtype: labels.dtype } as Parameters<ReturnType<typeof lossRow>['fits']>[0]
  if (n === count && lossRow(loss).fits(target, output)) return lossPerSample(loss, logits, labels)
  throw new FoveaError('E_MISMATCH', {
    what: 'labels do not fit the logits',
    where,
    expected: lossRow(loss).needs,
    got: `${labels.dtype} ${shapeText(labels.shape)} labels, ${shapeText(logits.shape)} logits`,
  })
}

/**
 * A loss per sample, [n], from logits [n, ...] (what comes before softmax or sigmoid) and labels [n, ...]. Its mean is what a step
 * makes smaller. Throws E_MISMATCH for labels that do not fit.
 */
export const lossFunctions = Object.fromEntries(
  lossNames.map((type) => [
    type,
    (logits: unknown, labels: unknown, options?: unknown) => lossOf(type, logits, labels, options),
  ]),
) as { readonly [N in LossName]: (logits: Node, labels: Node, options?: LossOptions<N>) => Node }
