import { describe, expect, it } from 'vitest'

import { clockText, CONFIRM_MS, elapsedText, litTicks, phaseOf, viewOf, type Phase } from '@/live/pay'
import { failureOf, wordsOf } from '@/live/words'

import { NOW, order, story } from './order'

const here = { nowMs: NOW, confirmUntilMs: null }
const at = (ms: number) => new Date(NOW + ms).toISOString()

describe('the phase of the pay page', () => {
  const WAITING = { status: 'WAITING_PAYMENT' } as const
  const cases: [string, Parameters<typeof order>[0], Phase][] = [
    ['no code yet', { status: 'PENDING', paymentStatus: null, paymentUrl: null }, 'creating'],
    ['the provider is slow', { status: 'PENDING', paymentStatus: 'CREATING' }, 'creating'],
    ['nobody can have paid without a code', { status: 'PENDING', paymentStatus: 'UNKNOWN', paymentUrl: null }, 'creating'],
    ['paid before the order knows it', { status: 'PENDING', paymentStatus: 'SUCCEEDED' }, 'confirming'],
    ['a code', { ...WAITING, paymentStatus: 'AWAITING' }, 'waiting'],
    ['a code past its end is asked for, not expired', { ...WAITING, paymentStatus: 'AWAITING', paymentExpiresAt: at(0) }, 'confirming'],
    ['not known', { ...WAITING, paymentStatus: 'UNKNOWN' }, 'confirming'],
    ['paid, the order not yet', { ...WAITING, paymentStatus: 'SUCCEEDED' }, 'confirming'],
    ['a word of a later version', { ...WAITING, paymentStatus: 'HELD_BY_THE_MOON' }, 'confirming'],
    ['a second code is made', { ...WAITING, paymentStatus: 'CREATING' }, 'creating'],
    ['expired by the server', { ...WAITING, paymentStatus: 'EXPIRED' }, 'expired'],
    ['closed at the provider', { ...WAITING, paymentStatus: 'CANCELLED' }, 'expired'],
    ['declined', { ...WAITING, paymentStatus: 'FAILED' }, 'failed'],
    ['being cancelled', { ...WAITING, paymentStatus: 'AWAITING', timeline: story('CANCEL_REQUESTED') }, 'cancelling'],
    ['past the deadline', { ...WAITING, paymentStatus: 'EXPIRED', timeline: story('DEADLINE_PASSED') }, 'cancelling'],
    ['paid', { status: 'PAID', paymentStatus: 'SUCCEEDED' }, 'paid'],
    ['paid in spite of a cancel', { status: 'PAID', timeline: story('CANCEL_REQUESTED') }, 'paid'],
    ['failed', { status: 'FAILED', reason: 'CANCELLED' }, 'ended'],
    ['failed, late money on its way back', { status: 'FAILED', refund: { amount: 1, status: 'REQUESTED', reason: 'LATE_SUCCESS', at: at(0) } }, 'refunding'],
    ['failed, late money is back', { status: 'FAILED', refund: { amount: 1, status: 'COMPLETED', reason: 'LATE_SUCCESS', at: at(0) } }, 'refunded'],
    ['refunding', { status: 'REFUNDING' }, 'refunding'],
    ['refunded', { status: 'REFUNDED' }, 'refunded'],
  ]
  it.each(cases)('%s', (_name, fields, phase) => {
    expect(phaseOf(order(fields), here)).toBe(phase)
  })

  it('confirms for a while after the customer came back, and then waits again', () => {
    const waiting = order({ status: 'WAITING_PAYMENT', paymentStatus: 'AWAITING' })
    const confirmUntilMs = NOW + CONFIRM_MS
    expect(phaseOf(waiting, { nowMs: NOW, confirmUntilMs })).toBe('confirming')
    expect(phaseOf(waiting, { nowMs: confirmUntilMs - 1, confirmUntilMs })).toBe('confirming')
    expect(phaseOf(waiting, { nowMs: confirmUntilMs, confirmUntilMs })).toBe('waiting')
  })

  it('never shows money as paid before the order is PAID', () => {
    for (const status of ['PENDING', 'WAITING_PAYMENT', 'FAILED'] as const) {
      for (const paymentStatus of ['CREATING', 'AWAITING', 'UNKNOWN', 'SUCCEEDED', 'FAILED', 'EXPIRED', 'CANCELLED', null]) {
        for (const nowMs of [NOW - 1e9, NOW, NOW + 1e9]) {
          expect(phaseOf(order({ status, paymentStatus, paypayStatus: 'COMPLETED' }), { nowMs, confirmUntilMs: null })).not.toBe('paid')
        }
      }
    }
  })
})

describe('what may be done', () => {
  it('shows no code, no cancel and no new code while a payment is confirmed', () => {
    const confirming = order({ status: 'WAITING_PAYMENT', paymentStatus: 'UNKNOWN', actions: ['pay', 'check', 'cancel'] })
    expect(viewOf(confirming, here)).toMatchObject({ mayPay: false, mayCancel: false, mayRenew: false, mayCheck: true, leftMs: null })
  })

  it('offers a new code only where the server says so', () => {
    const expired = (actions: string[]) => viewOf(order({ status: 'WAITING_PAYMENT', paymentStatus: 'EXPIRED', actions }), here)
    expect(expired(['pay', 'cancel'])).toMatchObject({ phase: 'expired', mayRenew: true, mayCancel: true })
    expect(expired(['cancel'])).toMatchObject({ phase: 'expired', mayRenew: false })
  })

  it('counts the code down on the server\'s clock and tells when it is soon over', () => {
    const waiting = order({ status: 'WAITING_PAYMENT', paymentStatus: 'AWAITING', paymentExpiresAt: at(60_001) })
    expect(viewOf(waiting, here)).toMatchObject({ leftMs: 60_001, soon: false })
    expect(viewOf(waiting, { nowMs: NOW + 1, confirmUntilMs: null })).toMatchObject({ leftMs: 60_000, soon: true })
  })
})

describe('the tick ring and its figures', () => {
  it('lights sixty ticks for a whole life and none at its end', () => {
    expect([litTicks(300_000, 300_000), litTicks(150_000, 300_000), litTicks(1, 300_000), litTicks(0, 300_000), litTicks(-5, 300_000), litTicks(9, 0)]).toEqual([60, 30, 1, 0, 0, 0])
  })
  it('shows 00:00 only when the time is up', () => {
    expect([clockText(300_000), clockText(59_001), clockText(1), clockText(0), clockText(-9)]).toEqual(['05:00', '01:00', '00:01', '00:00', '00:00'])
    expect(elapsedText(18_900)).toBe('0:18')
  })
})

describe('the sentence of a state', () => {
  it('names no culprit where nobody did wrong', () => {
    expect(wordsOf(order({ status: 'FAILED', reason: 'CANCELLED' }), 'ended', false, false)).toEqual({ key: 'cancelled', tone: 'nezu' })
    expect(wordsOf(order({ status: 'FAILED', reason: 'PAYMENT_EXPIRED' }), 'ended', false, false).tone).toBe('nezu')
    expect(wordsOf(order({ status: 'FAILED', reason: 'OUT_OF_STOCK' }), 'ended', false, false)).toEqual({ key: 'failedFinal', tone: 'enji', reason: 'OUT_OF_STOCK' })
  })
  it('says so when what takes seconds takes longer', () => {
    const making = order({ status: 'PENDING', paymentStatus: 'UNKNOWN', paymentUrl: null })
    expect([false, true].map((isSlow) => wordsOf(making, 'creating', false, isSlow).key)).toEqual(['creating', 'creatingSlow'])
    const unknown = order({ paymentStatus: 'UNKNOWN' })
    expect([false, true].map((isSlow) => wordsOf(unknown, 'confirming', false, isSlow).key)).toEqual(['confirming', 'slow'])
  })
  it('says when a payment outran the cancel', () => {
    expect(wordsOf(order({ status: 'PAID', timeline: story('CANCEL_REQUESTED') }), 'paid', false, false).key).toBe('cancelledButPaid')
  })
  it('tells what to do about a refusal', () => {
    expect([failureOf('NO_SUFFICIENT_FUND'), failureOf('USER_DAILY_LIMIT_EXCEEDED'), failureOf('PAYMENT_DECLINED'), failureOf(undefined)]).toEqual(['balance', 'limit', 'declined', 'declined'])
  })
})
