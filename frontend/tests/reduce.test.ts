import { describe, expect, it } from 'vitest'

import { NOTHING, parseFrame, withDetails, withFrame, type Frame, type OrderState } from '@/live/order'

import { order } from './order'

function frame(sequence: number, fields: Partial<Frame> = {}): Frame {
  const { orderId, amount } = order()
  return {
    type: 'ORDER_STATUS', event: 'UPDATE', sequence, orderId, amount, orderStatus: 'PAID', paymentStatus: 'SUCCEEDED', paymentUrl: null, paymentExpiresAt: null,
    paymentCompletedAt: '2026-11-22T01:47:31.000Z', result: 'SUCCESS', code: null, message: null, timestamp: '2026-11-22T01:47:32.000Z', ...fields,
  }
}
const paid = order({ status: 'PAID', paymentStatus: 'SUCCEEDED', viewVersion: 7, actions: ['refund'], serverTime: '2026-11-22T01:47:33.000Z' })

describe('pushes and polls go through one reducer', () => {
  it('takes a newer frame at once and asks for the rest', () => {
    const state = withFrame(withDetails(NOTHING, order()), frame(4))
    expect(state.isPartial).toBe(true)
    expect(state.order).toMatchObject({ status: 'PAID', viewVersion: 4, actions: [], amount: 25_180 })
  })

  it('is not moved back by what is late, doubled or of another order', () => {
    const state = withDetails(NOTHING, paid)
    expect(withFrame(state, frame(7, { orderStatus: 'WAITING_PAYMENT' }))).toBe(state)
    expect(withFrame(state, frame(3, { orderStatus: 'WAITING_PAYMENT' }))).toBe(state)
    expect(withFrame(state, frame(9, { orderId: 'x'.repeat(26), orderStatus: 'FAILED' }))).toBe(state)
    expect(withDetails(state, order({ viewVersion: 6 }))).toBe(state)
    expect(withFrame(NOTHING, frame(1))).toBe(NOTHING)
  })

  it('ends the same whatever the order of arrival is', () => {
    const news: ((state: OrderState) => OrderState)[] = [
      (state) => withDetails(state, order({ viewVersion: 3 })),
      (state) => withFrame(state, frame(5, { orderStatus: 'WAITING_PAYMENT', paymentStatus: 'UNKNOWN' })),
      (state) => withFrame(state, frame(7)),
      (state) => withDetails(state, paid),
      (state) => withDetails(state, order({ viewVersion: 5, paymentStatus: 'UNKNOWN' })),
    ]
    for (const one of permutations(news)) {
      const end = one.reduce((state, apply) => apply(state), NOTHING)
      expect(end).toEqual({ order: paid, isPartial: false })
    }
  })

  it('takes later details of the same version, since actions change with time', () => {
    const first = withDetails(NOTHING, order({ actions: ['pay'] }))
    const later = order({ actions: [], serverTime: '2026-11-22T01:50:28.000Z' })
    expect(withDetails(first, later).order?.actions).toEqual([])
    expect(withDetails(withDetails(NOTHING, later), order({ actions: ['pay'] })).order?.actions).toEqual([])
  })

  it('forgets the link to the app when the code is another', () => {
    const state = withFrame(withDetails(NOTHING, order()), frame(4, { orderStatus: 'WAITING_PAYMENT', paymentStatus: 'AWAITING', paymentUrl: 'https://qr.example/other' }))
    expect(state.order?.deeplink).toBeNull()
  })
})

describe('a frame', () => {
  it('that is none is skipped', () => {
    for (const text of ['', '{', 'null', '[]', '{"type":"NEWS"}', '{"type":"ORDER_STATUS","sequence":"7"}', 7, null]) expect(parseFrame(text)).toBeNull()
    expect(parseFrame('{"type":"HEARTBEAT","later":1}')).toEqual({ type: 'HEARTBEAT' })
    expect(parseFrame(JSON.stringify(frame(4)))).toEqual(frame(4))
  })
})

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items]
  return items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest]))
}
