import type { Order } from '@/api/client'

/**
 * What the pay page shows, as a pure function of the order, the server's time and what the person
 * did here. The rules are http-api.md, "What the pay page shows"; nothing here knows Vue.
 */
export type Phase =
  | 'creating'
  | 'waiting'
  | 'confirming'
  | 'cancelling'
  | 'paid'
  | 'expired'
  | 'failed'
  | 'ended'
  | 'refunding'
  | 'refunded'

export interface Here {
  /** The server's time. */
  nowMs: number
  /** Until when a payment is likely on its way: came back by redirect, or pressed "check now". */
  confirmUntilMs: number | null
}

export interface View {
  phase: Phase
  /** Time left of the code; null where no code can be used. */
  leftMs: number | null
  /** Only then is a code or a link to the app shown. */
  mayPay: boolean
  mayCheck: boolean
  mayCancel: boolean
  /** A new code on the same order. */
  mayRenew: boolean
  /** The money is known to be with the shop, or on its way back. */
  isFinal: boolean
  soon: boolean
}

export const SOON_MS = 60_000
export const CONFIRM_MS = 60_000
export const SLOW_MS = 30_000

const FINAL: Record<string, Phase> = {
  PAID: 'paid',
  REFUNDING: 'refunding',
  REFUNDED: 'refunded',
  FAILED: 'ended',
}

export function phaseOf(order: Order, here: Here): Phase {
  const final = FINAL[order.status]
  if (final) return final === 'ended' ? phaseOfFailed(order) : final
  // The server says nothing of a closing but by its story; the last word of it counts.
  if (isClosing(order)) return 'cancelling'
  if (order.status === 'PENDING') return order.paymentStatus === 'SUCCEEDED' ? 'confirming' : 'creating'
  switch (order.paymentStatus) {
    case 'AWAITING':
      return isOnItsWay(order, here) ? 'confirming' : 'waiting'
    case 'EXPIRED':
    case 'CANCELLED':
      return 'expired'
    case 'FAILED':
      return 'failed'
    case 'CREATING':
    case null:
    case undefined:
      return 'creating'
    default:
      // UNKNOWN, SUCCEEDED before the order is settled, and words of a later version.
      return 'confirming'
  }
}

/** A failed order whose money came late is a refund to the customer. */
function phaseOfFailed(order: Order): Phase {
  if (!order.refund) return 'ended'
  return order.refund.status === 'COMPLETED' ? 'refunded' : 'refunding'
}

function isOnItsWay(order: Order, here: Here): boolean {
  const expiresAt = moment(order.paymentExpiresAt)
  if (expiresAt !== null && here.nowMs >= expiresAt) return true
  return here.confirmUntilMs !== null && here.nowMs < here.confirmUntilMs
}

export function isClosing(order: Order): boolean {
  return order.timeline.some((entry) => entry.code === 'CANCEL_REQUESTED' || entry.code === 'DEADLINE_PASSED')
}

/** The customer asked to cancel, and the payment had been faster. */
export function isCancelledButPaid(order: Order): boolean {
  return order.status === 'PAID' && order.timeline.some((entry) => entry.code === 'CANCEL_REQUESTED')
}

export function viewOf(order: Order, here: Here): View {
  const phase = phaseOf(order, here)
  const expiresAt = moment(order.paymentExpiresAt)
  const leftMs = phase === 'waiting' && expiresAt !== null ? Math.max(0, expiresAt - here.nowMs) : null
  const may = (action: string) => order.actions.includes(action)
  return {
    phase,
    leftMs,
    mayPay: phase === 'waiting' && order.paymentUrl !== null,
    mayCheck: (phase === 'waiting' || phase === 'confirming' || phase === 'cancelling') && may('check'),
    // Never while a payment may be on its way: the cancel would race it.
    mayCancel: (phase === 'waiting' || phase === 'creating' || phase === 'expired' || phase === 'failed') && may('cancel'),
    mayRenew: (phase === 'expired' || phase === 'failed') && may('pay'),
    isFinal: phase === 'paid' || phase === 'refunding' || phase === 'refunded' || phase === 'ended',
    soon: leftMs !== null && leftMs <= SOON_MS,
  }
}

/** Epoch milliseconds of a wire time; null for none or for what is no time. */
export function moment(text: string | null | undefined): number | null {
  if (!text) return null
  const parsed = Date.parse(text)
  return Number.isNaN(parsed) ? null : parsed
}

/** Of a code that lives `lifeMs`, how many of sixty ticks are lit. */
export function litTicks(leftMs: number, lifeMs: number): number {
  if (lifeMs <= 0 || leftMs <= 0) return 0
  return Math.min(60, Math.ceil((leftMs / lifeMs) * 60))
}

/** A second that began counts, so 0:00 is shown only when the time is up. */
export function clockText(leftMs: number): string {
  const seconds = Math.max(0, Math.ceil(leftMs / 1000))
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}

export function elapsedText(sinceMs: number): string {
  const seconds = Math.max(0, Math.floor(sinceMs / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
