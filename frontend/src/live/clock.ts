/**
 * The server's time, told by its answers and carried on by a clock that nobody sets.
 *
 * Of several samples the one with the shortest way is the truest: an answer is at most half of its
 * round trip old. A machine that slept has a monotonic clock that may have stopped, so `distrust`
 * makes the next sample count whatever its way was.
 */
export class ServerClock {
  private offsetMs: number | null = null
  private bestWayMs = Number.POSITIVE_INFINITY
  private sampledAtMs = 0

  constructor(
    private readonly monotonicMs: () => number,
    private readonly wallMs: () => number,
  ) {}

  /** `sentAtMs` is monotonic; a pushed frame has none and counts as a long way. */
  sample(serverTime: string, sentAtMs?: number): void {
    const server = Date.parse(serverTime)
    if (Number.isNaN(server)) return
    const now = this.monotonicMs()
    const wayMs = sentAtMs === undefined ? 2_000 : now - sentAtMs
    const isStale = now - this.sampledAtMs > 60_000
    if (wayMs > this.bestWayMs && !isStale) return
    this.offsetMs = server + (sentAtMs === undefined ? 0 : wayMs / 2) - now
    this.bestWayMs = wayMs
    this.sampledAtMs = now
  }

  distrust(): void {
    this.bestWayMs = Number.POSITIVE_INFINITY
  }

  now(): number {
    return this.offsetMs === null ? this.wallMs() : this.monotonicMs() + this.offsetMs
  }
}
