import type { Order } from '@/api/client'

/** A frame of `/ws/orders`; `sequence` is the order's view version. */
export interface Frame {
  type: 'ORDER_STATUS'
  event: 'SNAPSHOT' | 'UPDATE'
  sequence: number
  orderId: string
  amount: number
  orderStatus: Order['status']
  paymentStatus: string | null
  paymentUrl: string | null
  paymentExpiresAt: string | null
  paymentCompletedAt: string | null
  result: 'PENDING' | 'SUCCESS' | 'FAILED' | 'TIMEOUT'
  code: string | null
  message: string | null
  timestamp: string
}

export interface OrderState {
  order: Order | null
  /** A frame knows less than the order: actions, story and refund are to be asked for. */
  isPartial: boolean
}

export const NOTHING: OrderState = { order: null, isPartial: false }

/**
 * The one way in for pushes and polls, so that they cannot fight: what is older than what is shown
 * changes nothing. Details of the same version do count, since actions also change with time.
 */
export function withDetails(state: OrderState, order: Order): OrderState {
  const known = state.order
  if (known && known.orderId === order.orderId) {
    if (order.viewVersion < known.viewVersion) return state
    if (order.viewVersion === known.viewVersion && order.serverTime < known.serverTime && !state.isPartial) return state
  }
  return { order, isPartial: false }
}

export function withFrame(state: OrderState, frame: Frame): OrderState {
  const known = state.order
  if (!known || known.orderId !== frame.orderId || frame.sequence <= known.viewVersion) return state
  const isSameCode = frame.paymentUrl === known.paymentUrl
  const order: Order = {
    ...known,
    status: frame.orderStatus,
    paymentStatus: frame.paymentStatus,
    paymentUrl: frame.paymentUrl,
    deeplink: isSameCode ? known.deeplink : null,
    paymentExpiresAt: frame.paymentExpiresAt,
    paymentCompletedAt: frame.paymentCompletedAt,
    reason: frame.orderStatus === 'FAILED' ? (frame.code ?? known.reason) : null,
    viewVersion: frame.sequence,
    serverTime: frame.timestamp,
    // What was legal before the change may not be so now; the details tell it again.
    actions: [],
  }
  return { order, isPartial: true }
}

export function parseFrame(text: unknown): Frame | { type: 'HEARTBEAT' } | null {
  if (typeof text !== 'string') return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const frame = value as Record<string, unknown>
  if (frame['type'] === 'HEARTBEAT') return { type: 'HEARTBEAT' }
  const isStatus =
    frame['type'] === 'ORDER_STATUS' &&
    typeof frame['sequence'] === 'number' &&
    typeof frame['orderId'] === 'string' &&
    typeof frame['orderStatus'] === 'string' &&
    typeof frame['timestamp'] === 'string'
  return isStatus ? (frame as unknown as Frame) : null
}
