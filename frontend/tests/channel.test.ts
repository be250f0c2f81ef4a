import { beforeEach, describe, expect, it } from 'vitest'

import { backoffMs, BACKOFF_MAX_MS, FIRST_FRAME_MS, HEARTBEAT_LIMIT_MS, LIVE_WITHIN_MS, LiveChannel, type Link, type Poll, type Socket, type Ticket } from '@/live/channel'

/** Time that passes only when told, and a network that does what the test says. */
class World {
  nowMs = 0
  online = true
  links: Link[] = []
  frames: number[] = []
  sockets: FakeSocket[] = []
  polls = 0
  answer: () => Poll = () => ({ ok: true, ticket: this.ticket() })
  refuseSockets = false
  sequence = 3
  private timers: { id: number; at: number; run: () => void }[] = []
  private last = 0

  readonly channel = new LiveChannel({
    openSocket: () => {
      if (this.refuseSockets) throw new Error('no socket here')
      const socket = new FakeSocket()
      this.sockets.push(socket)
      return socket
    },
    poll: async () => {
      this.polls += 1
      return this.answer()
    },
    onFrame: (frame) => this.frames.push(frame.sequence),
    onLink: (link) => this.links.push(link),
    isOnline: () => this.online,
    random: () => 0.5,
    setTimer: (run, ms) => {
      this.timers.push({ id: ++this.last, at: this.nowMs + ms, run })
      return this.last
    },
    clearTimer: (id) => {
      this.timers = this.timers.filter((timer) => timer.id !== id)
    },
  })

  ticket(fields: Partial<Ticket> = {}): Ticket {
    return { orderId: 'o', token: `token-${this.polls}`, sequence: this.sequence, pollMs: 3_000, ...fields }
  }
  get link(): Link | undefined {
    return this.links.at(-1)
  }
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (!socket) throw new Error('no socket was opened')
    return socket
  }
  async pass(ms: number): Promise<void> {
    const end = this.nowMs + ms
    for (;;) {
      await settle()
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0]
      if (!due) break
      this.nowMs = due.at
      this.timers = this.timers.filter((timer) => timer !== due)
      due.run()
    }
    this.nowMs = end
    await settle()
  }
  async live(): Promise<void> {
    this.channel.start(this.ticket())
    this.socket.open()
    this.socket.say({ type: 'HEARTBEAT' })
    await settle()
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await Promise.resolve()
}

class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null
  onmessage: Socket['onmessage'] = null
  onclose: Socket['onclose'] = null
  onerror: Socket['onerror'] = null
  sent: unknown[] = []
  isClosed = false
  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }
  close(): void {
    this.isClosed = true
  }
  open(): void {
    this.onopen?.()
  }
  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
  drop(code = 1006): void {
    this.onclose?.({ code })
  }
}

const status = (sequence: number) => ({ type: 'ORDER_STATUS', sequence, orderId: 'o', orderStatus: 'PAID', timestamp: '2026-11-22T01:47:32.000Z' })

let world: World
beforeEach(() => {
  world = new World()
})

describe('the live channel', () => {
  it('subscribes with the token in its first frame and the last sequence, never in the address', async () => {
    await world.live()
    expect(world.socket.sent).toEqual([{ type: 'SUBSCRIBE', orderId: 'o', token: 'token-0', lastSequence: 3 }])
    expect(world.link).toBe('live')
    world.socket.say(status(4))
    expect(world.frames).toEqual([4])
    expect(world.polls).toBe(0)
  })

  it('is live when nothing new comes and nothing refuses it', async () => {
    world.channel.start(world.ticket())
    world.socket.open()
    await world.pass(FIRST_FRAME_MS - 1)
    expect(world.link).toBe('connecting')
    await world.pass(1)
    expect(world.link).toBe('live')
  })

  it('takes silence for death, although no close event comes, and resumes where it was', async () => {
    await world.live()
    await world.pass(HEARTBEAT_LIMIT_MS - 1)
    expect(world.link).toBe('live')
    await world.pass(1)
    expect(world.link).toBe('reconnecting')
    expect(world.socket.isClosed).toBe(true)
    world.sequence = 5
    await world.pass(1_000)
    world.socket.open()
    expect(world.sockets).toHaveLength(2)
    expect(world.socket.sent).toEqual([{ type: 'SUBSCRIBE', orderId: 'o', token: 'token-1', lastSequence: 5 }])
    world.socket.say({ type: 'HEARTBEAT' })
    expect(world.link).toBe('live')
  })

  it('stays live as long as heartbeats come', async () => {
    await world.live()
    for (let i = 0; i < 10; i++) {
      await world.pass(10_000)
      world.socket.say({ type: 'HEARTBEAT' })
    }
    expect(world.links).toEqual(['connecting', 'live'])
  })

  it('polls every three seconds when no socket comes, and stops once it is live', async () => {
    world.channel.start(world.ticket())
    await world.pass(LIVE_WITHIN_MS)
    expect(world.link).toBe('polling')
    const before = world.polls
    await world.pass(2_999)
    expect(world.polls).toBe(before)
    await world.pass(1)
    expect(world.polls).toBe(before + 1)
    // The socket that never opened was given up; the next one comes after a pause.
    await world.pass(1_000)
    world.socket.open()
    world.socket.say({ type: 'HEARTBEAT' })
    expect(world.link).toBe('live')
    const settled = world.polls
    await world.pass(20_000)
    expect(world.polls).toBe(settled)
  })

  it('polls after the second failure in a row', async () => {
    await world.live()
    world.socket.drop()
    expect(world.link).toBe('reconnecting')
    await world.pass(600)
    world.socket.drop()
    await settle()
    expect(world.link).toBe('polling')
  })

  it('takes no frame from a socket that it gave up', async () => {
    await world.live()
    const old = world.socket
    const { onmessage } = old
    old.drop()
    await world.pass(600)
    onmessage?.({ data: JSON.stringify(status(9)) })
    expect(world.frames).toEqual([])
  })

  it('fetches another token when one is refused, and gives sockets up after three', async () => {
    world.channel.start(world.ticket())
    for (let i = 0; i < 3; i++) {
      world.socket.open()
      world.socket.drop(4401)
      await world.pass(2_500)
    }
    expect(new Set(world.sockets.flatMap((socket) => socket.sent.map((sent) => (sent as { token: string }).token))).size).toBe(3)
    expect(world.sockets).toHaveLength(3)
    expect(world.link).toBe('polling')
  })

  it('opens no socket again where it is forbidden', async () => {
    world.channel.start(world.ticket())
    world.socket.drop(4403)
    await world.pass(60_000)
    expect(world.sockets).toHaveLength(1)
    expect(world.link).toBe('polling')
    expect(world.polls).toBeGreaterThan(10)
  })

  it('polls where sockets do not exist at all', async () => {
    world.refuseSockets = true
    world.channel.start(world.ticket())
    await world.pass(LIVE_WITHIN_MS)
    expect(world.link).toBe('polling')
  })

  it('asks nothing while offline and looks at once when the network is back', async () => {
    await world.live()
    world.online = false
    world.channel.wentOffline()
    expect(world.link).toBe('offline')
    const before = world.polls
    await world.pass(60_000)
    expect(world.polls).toBe(before)
    world.online = true
    world.channel.wake()
    await settle()
    expect(world.polls).toBe(before + 1)
    world.socket.open()
    world.socket.say({ type: 'HEARTBEAT' })
    expect(world.link).toBe('live')
  })

  it('goes on polling through failures, and heeds Retry-After', async () => {
    world.refuseSockets = true
    world.channel.start(world.ticket())
    await world.pass(LIVE_WITHIN_MS)
    world.answer = () => ({ ok: false, end: false, retryAfterMs: 9_000 })
    await world.pass(3_000)
    const before = world.polls
    world.answer = () => ({ ok: true, ticket: world.ticket() })
    await world.pass(60_000)
    expect(world.polls).toBeGreaterThan(before + 10)
  })

  it('closes when nothing can change any more, or when the order is not ours', async () => {
    world.channel.start(world.ticket({ pollMs: null }))
    expect(world.link).toBe('closed')
    expect(world.sockets).toHaveLength(0)

    const other = new World()
    await other.live()
    other.socket.drop()
    other.answer = () => ({ ok: false, end: true })
    await other.pass(1_000)
    expect(other.link).toBe('closed')
    const polls = other.polls
    await other.pass(120_000)
    expect(other.polls).toBe(polls)
  })

  it('leaves nothing behind when the page goes', async () => {
    await world.live()
    world.channel.stop()
    expect(world.socket.isClosed).toBe(true)
    await world.pass(120_000)
    expect(world.polls).toBe(0)
    expect(world.link).toBe('closed')
  })
})

describe('backoff', () => {
  it('grows to its limit and is spread over all of it', () => {
    expect([1, 2, 3, 10, 50].map((n) => backoffMs(n, () => 1))).toEqual([1_000, 2_000, 4_000, BACKOFF_MAX_MS, BACKOFF_MAX_MS])
    expect(backoffMs(5, () => 0)).toBe(0)
  })
})
