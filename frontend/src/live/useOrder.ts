import { computed, onScopeDispose, ref, shallowRef, type Ref } from 'vue'

import { api, type Order } from '@/api/client'
import { ApiError, networkError } from '@/api/problem'

import { LiveChannel, type Link, type Poll, type Ticket } from './channel'
import { ServerClock } from './clock'
import { NOTHING, withDetails, withFrame, type OrderState } from './order'
import { CONFIRM_MS, viewOf, type View } from './pay'

export type Trouble = 'session' | 'gone' | 'unreachable'

const POLL_MS = 3_000
const TICK_MS = 250

/** How often an order is worth asking when no push comes; null when nothing more can happen to it. */
export function pollEveryMs(order: Order): number | null {
  switch (order.status) {
    case 'PENDING':
    case 'WAITING_PAYMENT':
    case 'PAID':
    case 'REFUNDING':
      return POLL_MS
    default:
      return order.refund && !['COMPLETED', 'REJECTED'].includes(order.refund.status) ? POLL_MS : null
  }
}

function ticketOf(order: Order): Ticket {
  return { orderId: order.orderId, token: order.channelToken, sequence: order.viewVersion, pollMs: pollEveryMs(order) }
}

/** Shared by the tabs of this browser: a reload keeps saying "we are confirming". */
function confirmKey(orderId: string): string {
  return `kessai.confirm.${orderId}`
}

/** One order, live: the pay page, the result page and the order page all look through this. */
export function useOrder(orderId: string) {
  const clock = new ServerClock(
    () => performance.now(),
    () => Date.now(),
  )
  const state = shallowRef<OrderState>(NOTHING)
  const link = ref<Link>('connecting')
  const trouble = ref<Trouble | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const nowMs = ref(clock.now())
  const confirmUntilMs = ref(readConfirm(orderId))
  const unpaidAt = ref<string | null>(null)
  const busy = ref<'check' | 'cancel' | 'renew' | 'refund' | null>(null)

  const order = computed(() => state.value.order)
  const view: Ref<View | null> = computed(() =>
    order.value ? viewOf(order.value, { nowMs: nowMs.value, confirmUntilMs: confirmUntilMs.value }) : null,
  )

  const channel = new LiveChannel({
    openSocket: () => new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws/orders`) as never,
    poll,
    onFrame(frame) {
      clock.sample(frame.timestamp)
      const before = state.value
      state.value = withFrame(before, frame)
      // The frame says what matters at once; the rest of the order follows.
      if (state.value !== before) void load()
    },
    onLink(now) {
      link.value = now
    },
    isOnline: () => navigator.onLine,
    random: () => Math.random(),
    setTimer: (run, ms) => setTimeout(run, ms),
    clearTimer: (timer) => clearTimeout(timer as number),
  })

  async function poll(): Promise<Poll> {
    const read = await load()
    if (read) return { ok: true, ticket: ticketOf(read) }
    const end = trouble.value === 'session' || trouble.value === 'gone'
    const seconds = error.value?.problem.retryAfterS
    return { ok: false, end, retryAfterMs: seconds === undefined ? undefined : seconds * 1000 }
  }

  /** Takes an answer about the order; the channel begins anew when the order can change again. */
  function take(answer: Order, sentAtMs: number): Order {
    clock.sample(answer.serverTime, sentAtMs)
    state.value = withDetails(state.value, answer)
    nowMs.value = clock.now()
    trouble.value = null
    error.value = null
    if (view.value?.isFinal && confirmUntilMs.value !== null) stopConfirming()
    if (link.value === 'closed' && pollEveryMs(answer) !== null) channel.start(ticketOf(answer))
    return answer
  }

  async function ask(send: () => Promise<Order>): Promise<Order | null> {
    const sentAtMs = performance.now()
    try {
      return take(await send(), sentAtMs)
    } catch (caught) {
      error.value = caught instanceof ApiError ? caught : networkError()
      return null
    }
  }

  async function load(): Promise<Order | null> {
    const read = await ask(() => api.order(orderId))
    if (read) return read
    const status = error.value?.status
    trouble.value = status === 401 ? 'session' : status === 404 ? 'gone' : 'unreachable'
    return null
  }

  async function begin(): Promise<void> {
    const read = await load()
    if (read) channel.start(ticketOf(read))
    else if (trouble.value === 'unreachable') setTimeout(() => !isGone && void begin(), POLL_MS)
  }

  function confirmFor(ms: number): void {
    confirmUntilMs.value = clock.now() + ms
    writeConfirm(orderId, confirmUntilMs.value)
  }

  function stopConfirming(): void {
    confirmUntilMs.value = null
    writeConfirm(orderId, null)
  }

  /** Asks the provider. What it says ends the confirming; silence does not. */
  async function check(): Promise<boolean> {
    if (busy.value === 'check') return true
    busy.value = 'check'
    confirmFor(CONFIRM_MS)
    const read = await ask(() => api.check(orderId))
    busy.value = null
    if (read && saysUnpaid(read)) {
      stopConfirming()
      unpaidAt.value = read.serverTime
    }
    return read !== null
  }

  /** Back from the app: its word may be a moment ahead of the provider's answers. */
  async function cameBack(): Promise<void> {
    confirmFor(CONFIRM_MS)
    for (const pauseMs of [0, 2_000, 3_000, 5_000]) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      if (isGone || view.value?.isFinal) return
      const read = await ask(() => api.check(orderId))
      if (read && !saysUnpaid(read)) return
    }
    if (order.value && saysUnpaid(order.value)) {
      stopConfirming()
      unpaidAt.value = order.value.serverTime
    }
  }

  const once =
    (name: 'cancel' | 'renew' | 'refund', send: () => Promise<Order>) => async (): Promise<boolean> => {
      if (busy.value) return false
      busy.value = name
      unpaidAt.value = null
      const read = await ask(send)
      busy.value = null
      // Refused because the order went on meanwhile: show where it is now.
      if (!read) {
        const refused = error.value
        await load()
        error.value = refused
      }
      return read !== null
    }

  const cancel = once('cancel', () => api.cancel(orderId))
  const renew = once('renew', () => {
    stopConfirming()
    return api.newPayment(orderId)
  })
  const refund = (reason: string) => once('refund', () => api.refund(orderId, reason))()

  // At 0:00 the page asks the server, once for each code.
  let askedFor: string | null = null
  function tick(): void {
    nowMs.value = clock.now()
    const shown = order.value
    const expiresAt = shown?.paymentExpiresAt
    if (!expiresAt || askedFor === expiresAt || shown.paymentStatus !== 'AWAITING') return
    if (nowMs.value >= Date.parse(expiresAt)) {
      askedFor = expiresAt
      void ask(() => api.check(orderId))
    }
  }

  const onVisible = () => {
    if (document.visibilityState !== 'visible') return
    clock.distrust()
    channel.wake()
  }
  const onOnline = () => channel.wake()
  const onOffline = () => channel.wentOffline()
  const onStorage = (event: StorageEvent) => {
    if (event.key === confirmKey(orderId)) confirmUntilMs.value = readConfirm(orderId)
  }

  let isGone = false
  const ticking = setInterval(tick, TICK_MS)
  document.addEventListener('visibilitychange', onVisible)
  addEventListener('online', onOnline)
  addEventListener('offline', onOffline)
  addEventListener('storage', onStorage)
  onScopeDispose(() => {
    isGone = true
    clearInterval(ticking)
    channel.stop()
    document.removeEventListener('visibilitychange', onVisible)
    removeEventListener('online', onOnline)
    removeEventListener('offline', onOffline)
    removeEventListener('storage', onStorage)
  })

  return {
    order, view, link, trouble, error, nowMs, busy, unpaidAt, confirmUntilMs,
    begin, load, check, cameBack, cancel, renew, refund,
  }
}

/** PayPay's own word of a code that nobody has paid. */
function saysUnpaid(order: Order): boolean {
  return order.status === 'WAITING_PAYMENT' && order.paymentStatus === 'AWAITING' && order.paypayStatus === 'CREATED'
}

function readConfirm(orderId: string): number | null {
  try {
    const until = Number(localStorage.getItem(confirmKey(orderId)))
    return until > 0 ? until : null
  } catch {
    return null
  }
}

function writeConfirm(orderId: string, untilMs: number | null): void {
  try {
    if (untilMs === null) localStorage.removeItem(confirmKey(orderId))
    else localStorage.setItem(confirmKey(orderId), String(untilMs))
  } catch {
    // Without storage the other tabs simply do not know.
  }
}
