import type { Order, TimelineEntry } from '@/api/client'

export const NOW = Date.parse('2026-11-22T01:46:15.000Z')

/** An order as the door tells it; what a test does not name is of no matter to it. */
export function order(fields: Partial<Order> = {}): Order {
  return {
    orderId: '0mwxj6nx625ayppf8kj7ule7a3',
    orderNumber: 'K-20261122-le7a30',
    createdAt: '2026-11-22T01:44:58.000Z',
    method: 'PAYPAY',
    amount: 25_180,
    taxYen: 2_289,
    status: 'WAITING_PAYMENT',
    reason: null,
    paymentStatus: 'AWAITING',
    paypayStatus: 'CREATED',
    paymentId: null,
    payment_last_event_id: null,
    paymentUrl: 'https://qr.example/28180104abc',
    deeplink: 'paypay://payment?link_key=abc',
    paymentExpiresAt: '2026-11-22T01:50:27.000Z',
    paymentRequestedAt: '2026-11-22T01:45:27.000Z',
    paymentCompletedAt: null,
    holdUntil: '2026-11-22T01:59:58.000Z',
    channelToken: 'token-1',
    channelTokenExpiresAt: '2026-11-22T01:47:15.000Z',
    paypayError: null,
    items: [],
    shippingAddress: null,
    timeline: [],
    refund: null,
    actions: ['pay', 'check', 'cancel'],
    viewVersion: 3,
    serverTime: '2026-11-22T01:46:15.000Z',
    correlationId: '0mwxj6u8bqraku1ze1uv4axibf',
    ...fields,
  }
}

export function story(...codes: string[]): TimelineEntry[] {
  return codes.map((code) => ({ at: '2026-11-22T01:46:00.000Z', kind: 'ORDER', code, data: {} }))
}
