import { parseFrame, type Frame } from './order'

/**
 * The live channel of one order: a socket with a heartbeat, resume by sequence, and polling
 * whenever the socket is silent. A dead network closes no socket, so silence counts as death.
 */
export type Link = 'connecting' | 'live' | 'reconnecting' | 'polling' | 'offline' | 'closed'

export const HEARTBEAT_LIMIT_MS = 25_000
export const FIRST_FRAME_MS = 1_000
export const LIVE_WITHIN_MS = 5_000
export const OPEN_WITHIN_MS = 8_000
export const STEADY_MS = 30_000
export const BACKOFF_FIRST_MS = 500
export const BACKOFF_MAX_MS = 30_000

const UNAUTHORIZED = 4401
const FORBIDDEN = 4403

export interface Socket {
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number }) => void) | null
  onerror: (() => void) | null
  send(text: string): void
  close(): void
}

/** What a poll brings: enough to subscribe with. */
export interface Ticket {
  orderId: string
  token: string
  sequence: number
  /** Milliseconds to the next poll; null when nothing more can change. */
  pollMs: number | null
}

export type Poll = { ok: true; ticket: Ticket } | { ok: false; end: boolean; retryAfterMs?: number | undefined }

export interface Ports {
  openSocket: () => Socket
  /** Reads the order anew, puts it through the reducer, and hands out a fresh one-time token. */
  poll: () => Promise<Poll>
  onFrame: (frame: Frame) => void
  onLink: (link: Link) => void
  isOnline: () => boolean
  /** 0 up to, not including, 1. */
  random: () => number
  setTimer: (run: () => void, ms: number) => unknown
  clearTimer: (timer: unknown) => void
}

export function backoffMs(failures: number, random: () => number): number {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** failures)
}

type TimerName = 'connect' | 'poll' | 'silence' | 'first' | 'steady' | 'fallback'

export class LiveChannel {
  private socket: Socket | null = null
  private failures = 0
  private refusals = 0
  private socketsAllowed = true
  private isPolling = false
  private inFlight: Promise<void> | null = null
  private link: Link = 'connecting'
  private readonly timers = new Map<TimerName, unknown>()

  constructor(private readonly ports: Ports) {}

  /** `ticket` is of the answer that was read just now, so the first connect needs no other. */
  start(ticket: Ticket): void {
    if (ticket.pollMs === null) {
      this.set('closed')
      return
    }
    this.set(this.ports.isOnline() ? 'connecting' : 'offline')
    this.armFallback()
    this.connect(ticket)
  }

  stop(): void {
    this.set('closed')
    this.dropSocket()
    for (const name of [...this.timers.keys()]) this.clear(name)
    this.isPolling = false
  }

  /** The network or the page came back: look at once. */
  wake(): void {
    if (this.link === 'closed') return
    this.failures = 0
    if (this.link !== 'live') {
      this.stopPolling()
      this.set('reconnecting')
      this.armFallback()
    }
    void this.refresh()
  }

  wentOffline(): void {
    if (this.link === 'closed') return
    this.dropSocket()
    this.clear('connect')
    this.set('offline')
  }

  private connect(ticket: Ticket): void {
    if (!this.socketsAllowed || !this.ports.isOnline()) return
    this.dropSocket()
    let socket: Socket
    try {
      socket = this.ports.openSocket()
    } catch {
      this.failed()
      return
    }
    this.socket = socket
    // Events of a socket that was dropped arrive late; they are nobody's.
    const mine = (run: () => void) => () => {
      if (this.socket === socket) run()
    }
    socket.onopen = mine(() => {
      const { orderId, token, sequence } = ticket
      socket.send(JSON.stringify({ type: 'SUBSCRIBE', orderId, token, lastSequence: sequence }))
      // Nothing new means no frame; a subscription that is refused is closed well before this.
      this.arm('first', FIRST_FRAME_MS, () => this.alive())
      this.arm('silence', HEARTBEAT_LIMIT_MS, () => this.failed())
    })
    socket.onmessage = (event) => {
      if (this.socket !== socket) return
      const frame = parseFrame(event.data)
      if (!frame) return
      this.arm('silence', HEARTBEAT_LIMIT_MS, () => this.failed())
      this.alive()
      if (frame.type === 'ORDER_STATUS') this.ports.onFrame(frame)
    }
    socket.onclose = (event) => {
      if (this.socket === socket) this.closedBy(event.code)
    }
    socket.onerror = null
    this.arm('silence', OPEN_WITHIN_MS, () => this.failed())
  }

  private closedBy(code: number): void {
    if (code === FORBIDDEN) this.socketsAllowed = false
    if (code === UNAUTHORIZED) {
      // A token works once and ends soon: the next poll brings another, unless it is the session.
      this.refusals += 1
      if (this.refusals >= 3) this.socketsAllowed = false
    }
    this.failed()
  }

  private alive(): void {
    this.clear('first')
    this.clear('fallback')
    this.refusals = 0
    this.stopPolling()
    if (this.link !== 'live') {
      this.set('live')
      this.arm('steady', STEADY_MS, () => {
        this.failures = 0
      })
    }
  }

  private failed(): void {
    this.dropSocket()
    if (this.link === 'closed') return
    this.failures += 1
    if (this.link !== 'polling') this.set(this.ports.isOnline() ? 'reconnecting' : 'offline')
    if (this.failures >= 2 || !this.socketsAllowed) this.startPolling()
    else this.armFallback()
    if (this.socketsAllowed) {
      this.arm('connect', backoffMs(this.failures, this.ports.random), () => void this.refresh())
    }
  }

  /** One look at the order; its token opens the next socket where there is none. */
  private refresh(): Promise<void> {
    this.inFlight ??= this.look().finally(() => {
      this.inFlight = null
    })
    return this.inFlight
  }

  private async look(): Promise<void> {
    const result = await this.ports.poll()
    if (this.link === 'closed') return
    if (!result.ok) {
      if (result.end) this.stop()
      else if (!this.socket) this.failed()
      return
    }
    if (result.ticket.pollMs === null) {
      this.stop()
      return
    }
    if (!this.socket) this.connect(result.ticket)
  }

  private armFallback(): void {
    if (!this.timers.has('fallback')) this.arm('fallback', LIVE_WITHIN_MS, () => this.startPolling())
  }

  private startPolling(): void {
    if (this.isPolling || this.link === 'closed' || this.link === 'live') return
    this.isPolling = true
    this.clear('fallback')
    if (this.link !== 'offline') this.set('polling')
    void this.pollOnce()
  }

  private async pollOnce(): Promise<void> {
    let waitMs = 3_000
    if (this.ports.isOnline()) {
      const result = await this.ports.poll()
      if (!this.isPolling) return
      if (result.ok) {
        if (result.ticket.pollMs === null) {
          this.stop()
          return
        }
        waitMs = result.ticket.pollMs
        if (this.link === 'offline') this.set('polling')
      } else if (result.end) {
        this.stop()
        return
      } else {
        waitMs = Math.max(waitMs, result.retryAfterMs ?? 0)
      }
    }
    this.arm('poll', waitMs, () => void this.pollOnce())
  }

  private stopPolling(): void {
    this.isPolling = false
    this.clear('poll')
  }

  private dropSocket(): void {
    const socket = this.socket
    this.socket = null
    this.clear('silence')
    this.clear('first')
    this.clear('steady')
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  private set(link: Link): void {
    if (link === this.link && link !== 'connecting') return
    this.link = link
    this.ports.onLink(link)
  }

  private arm(name: TimerName, ms: number, run: () => void): void {
    this.clear(name)
    this.timers.set(
      name,
      this.ports.setTimer(() => {
        this.timers.delete(name)
        run()
      }, ms),
    )
  }

  private clear(name: TimerName): void {
    if (!this.timers.has(name)) return
    this.ports.clearTimer(this.timers.get(name))
    this.timers.delete(name)
  }
}
