import { Check, Clock, Hourglass, Undo2, X, CircleHelp, Ban, Ellipsis, Package } from '@lucide/vue'
import type { FunctionalComponent } from 'vue'

export type Tone = 'nezu' | 'yama' | 'matsu' | 'enji' | 'kikyo' | 'tetsu'
type Look = [Tone, FunctionalComponent]

// look.md, section 3. The words are in i18n under the same names.
export const ORDER: Record<string, Look> = {
  PENDING: ['nezu', Clock],
  WAITING_PAYMENT: ['yama', Clock],
  PAID: ['matsu', Check],
  FAILED: ['enji', X],
  REFUNDING: ['kikyo', Undo2],
  REFUNDED: ['nezu', Undo2],
}

export const PAYMENT: Record<string, Look> = {
  CREATING: ['nezu', Ellipsis],
  AWAITING: ['yama', Clock],
  SUCCEEDED: ['matsu', Check],
  FAILED: ['enji', X],
  EXPIRED: ['nezu', Hourglass],
  CANCELLED: ['nezu', Ban],
  UNKNOWN: ['kikyo', CircleHelp],
  REFUNDING: ['kikyo', Undo2],
  REFUNDED: ['nezu', Undo2],
}

export const RESERVATION: Record<string, Look> = {
  RESERVED: ['yama', Hourglass],
  CONFIRMED: ['matsu', Package],
  RELEASED: ['nezu', Undo2],
}

const KINDS = { order: ORDER, payment: PAYMENT, reservation: RESERVATION }
export type Kind = keyof typeof KINDS

/** Nobody did wrong when an order was cancelled or ran out of time. */
const HARMLESS = new Set(['CANCELLED', 'PAYMENT_EXPIRED'])

export function lookOf(kind: Kind, status: string, reason?: string | null): Look {
  const look = KINDS[kind][status] ?? ['nezu', CircleHelp]
  return kind === 'order' && status === 'FAILED' && reason && HARMLESS.has(reason) ? ['nezu', look[1]] : look
}

const FEW = 5

export function shelf(stock: number): 'in' | 'few' | 'none' {
  if (stock <= 0) return 'none'
  return stock <= FEW ? 'few' : 'in'
}
