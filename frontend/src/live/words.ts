import type { Order } from '@/api/client'
import type { Tone } from '@/parts/states'

import { isCancelledButPaid, isClosing, type Phase } from './pay'

/** Which sentence of look.md, section 6, a state speaks; the key is below `state.` in i18n. */
export interface Words {
  key: string
  tone: Tone
  /** Key of the reason below `reason.`, where the sentence names one. */
  reason?: string
}

const HARMLESS = new Set(['CANCELLED', 'PAYMENT_EXPIRED'])

export function wordsOf(order: Order, phase: Phase, isPhone: boolean, isSlow: boolean): Words {
  switch (phase) {
    case 'creating':
      return { key: isSlow ? 'creatingSlow' : 'creating', tone: 'nezu' }
    case 'waiting':
      return { key: isPhone ? 'waitingPhone' : 'waitingPc', tone: 'yama' }
    case 'confirming':
      return { key: isSlow ? 'slow' : 'confirming', tone: 'kikyo' }
    case 'cancelling':
      return { key: isClosing(order) && hasPassed(order) ? 'closing' : 'cancelling', tone: 'kikyo' }
    case 'paid':
      return { key: isCancelledButPaid(order) ? 'cancelledButPaid' : 'paid', tone: 'matsu' }
    case 'expired':
      return { key: 'expired', tone: 'nezu' }
    case 'failed':
      return { key: 'failed', tone: 'enji', reason: 'PAYMENT_DECLINED' }
    case 'refunding':
      return { key: order.refund?.status === 'REJECTED' ? 'refundRefused' : 'refunding', tone: 'kikyo' }
    case 'refunded':
      return { key: 'refunded', tone: 'nezu' }
    case 'ended':
      return ended(order.reason ?? 'OTHER')
  }
}

function ended(reason: string): Words {
  const tone = HARMLESS.has(reason) ? 'nezu' : 'enji'
  if (reason === 'CANCELLED') return { key: 'cancelled', tone }
  if (reason === 'PAYMENT_EXPIRED') return { key: 'ended', tone }
  if (reason === 'PAYMENT_UNAVAILABLE') return { key: 'unavailable', tone }
  return { key: 'failedFinal', tone, reason }
}

function hasPassed(order: Order): boolean {
  const last = order.timeline.filter((entry) => entry.code === 'CANCEL_REQUESTED' || entry.code === 'DEADLINE_PASSED').at(-1)
  return last?.code === 'DEADLINE_PASSED'
}

/** What the customer can do about a refused payment, by the provider's code. */
export function failureOf(code: string | undefined): 'balance' | 'limit' | 'declined' {
  if (!code) return 'declined'
  if (/SUFFICIENT|BALANCE|FUND/.test(code)) return 'balance'
  return /LIMIT|EXCEED/.test(code) ? 'limit' : 'declined'
}
