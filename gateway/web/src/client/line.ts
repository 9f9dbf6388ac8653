/**
 * How the client hears of its jobs: by a stream; by polling where streams are mute or fail, with probes that bring the
 * stream back; and how that stands. It knows jobs by their ids only.
 *
 * ```
 *            first frame                        2 mute opens, or 3 without a frame in 60 s
 * connecting ───────────▶ live ──end──▶ waiting ─────────────────────────────────────────▶ polling ⇄ waiting
 *                          ▲               │ back-off                                          │
 *                          └───────────────┴──────────── first frame of a probe ───────────────┘
 * ```
 */

import { backoffMs, probeMs } from './backoff.ts'
import type { Calls } from './calls.ts'
import type { WaybillError } from './errors.ts'
import type { Message } from './job.ts'
import type { Limits } from './limits.ts'
import { Poller } from './poller.ts'
import type { StreamEnd, StreamMessage, StreamOutcome } from './stream.ts'
import { StreamAttempt } from './stream.ts'
import type { Connection } from './types.ts'
import type { World } from './world.ts'

export interface LineListener {
  /** The last place of a job's log that is known. */
  cursorOf(id: string): string | null
  /** Whether its record has news that its stream does not tell. */
  needsRecord(id: string): boolean
  onMessage(message: StreamMessage): void
  /** A polled record; `isFollowed` when a stream tells the same job's events at the same time. */
  onRecord(id: string, record: Message, isFollowed: boolean): void
  onMissing(id: string, reason: 'removed' | 'unknown'): void
  onServerTime(serverMs: number): void
  onConnection(connection: Connection): void
}

export class Line {
  connection: Connection
  readonly #parts: { calls: Calls; world: World; limits: Limits }
  readonly #listener: LineListener
  readonly #poller: Poller
  #wanted: readonly string[] = []
  #live: StreamAttempt | null = null
  #opening: StreamAttempt | null = null
  #forgetNext = () => {}
  #nextAtMs: number | null = null
  #forgetReopen = () => {}
  #failures = 0
  #probes = 0
  #mutes = 0
  #framelessAtMs: number[] = []
  #isStreamGivenUp = false
  #isPollGood = false
  #reason: string | undefined
  #nudgedAtMs = -Infinity

  constructor(parts: { calls: Calls; world: World; limits: Limits }, listener: LineListener) {
    this.#parts = parts
    this.#listener = listener
    this.connection = { mode: 'idle', sinceMs: parts.world.nowMs() }
    this.#poller = new Poller(parts, {
      polled: () => this.#polled(),
      onRecord: (id, record) => listener.onRecord(id, record, this.#isFollowed(id)),
      onMissing: (id, reason) => listener.onMissing(id, reason),
      onAnswer: () => this.#onPolled(),
      onFailure: (error) => this.#onPollFailed(error),
    })
  }

  /** Say which unfinished jobs are to be followed, newest first; those that have ended are simply not among them. */
  follow(ids: readonly string[]): void {
    const isFirst = this.#wanted.length === 0
    this.#wanted = ids
    if (!ids.length) return this.stop()
    if (isFirst) return this.#open()
    if (this.#live === null && this.#opening === null) return
    if (ids.slice(0, this.#parts.limits.jobsPerCall).every((id) => this.#isCovered(id))) return this.#mindTheRest()
    this.#forgetReopen()
    this.#forgetReopen = this.#parts.world.after(this.#parts.limits.reopenQuietMs, () => this.#open())
    this.#mindTheRest()
  }

  /** Stop everything; `follow()` begins anew. */
  stop(): void {
    this.#wanted = []
    this.#forgetNext()
    this.#forgetReopen()
    this.#nextAtMs = null
    this.#poller.stop()
    this.#dropStreams()
    this.#isStreamGivenUp = this.#isPollGood = false
    this.#failures = this.#probes = this.#mutes = 0
    this.#framelessAtMs = []
    this.#reason = undefined
    this.#publish()
  }

  /** Something suggests that a try may succeed now: the page is looked at again, the network is back. */
  nudge(): void {
    const { world, limits } = this.#parts
    if (!this.#wanted.length || world.nowMs() - this.#nudgedAtMs < limits.nudgeEveryMs) return
    this.#nudgedAtMs = world.nowMs()
    const isTrusted = this.#live && world.wallMs() - this.#live.lastByteAtWallMs <= limits.trustedMs
    if (!isTrusted && this.#opening === null) this.#open()
    if (this.#poller.nextAtMs !== null && this.connection.mode !== 'live') this.#poller.start()
  }

  /** Somebody signed in, or pressed a button: as if nothing had failed before. */
  tryNow(): void {
    this.#parts.calls.credentials.renew()
    this.#nudgedAtMs = -Infinity
    if (this.connection.mode === 'unauthorized' && this.#wanted.length) this.#open()
    else this.nudge()
  }

  // ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #isCovered(id: string): boolean {
    return [this.#live, this.#opening].some((attempt) => attempt?.jobs.some((job) => job.id === id))
  }

  #isFollowed(id: string): boolean {
    return this.#live?.jobs.some((job) => job.id === id) ?? false
  }

  /** Open a stream; one that works stays until the new one has proven itself. */
  #open(): void {
    this.#forgetNext()
    this.#forgetReopen()
    this.#nextAtMs = null
    const old = this.#opening
    const jobs = this.#wanted.slice(0, this.#parts.limits.jobsPerCall).map((id) => ({ id, cursor: this.#listener.cursorOf(id) }))
    const attempt = new StreamAttempt(this.#parts, jobs, {
      onLive: () => this.#onLive(attempt),
      onMessage: (message) => this.#listener.onMessage(message),
      onServerTime: (serverMs) => this.#listener.onServerTime(serverMs),
    })
    this.#opening = attempt
    old?.stop()
    void attempt.run().then((outcome) => this.#onEnd(attempt, outcome))
    this.#publish()
  }

  #onLive(attempt: StreamAttempt): void {
    if (attempt !== this.#opening) return
    const old = this.#live
    this.#live = attempt
    this.#opening = null
    old?.stop()
    this.#mutes = this.#probes = 0
    this.#framelessAtMs = []
    this.#isStreamGivenUp = this.#isPollGood = false
    this.#reason = undefined
    this.#poller.stop()
    this.#mindTheRest()
    this.#publish()
  }

  #onEnd(attempt: StreamAttempt, outcome: StreamOutcome): void {
    const wasLive = attempt === this.#live
    if (!wasLive && attempt !== this.#opening) return
    if (wasLive) this.#live = null
    else this.#opening = null
    if (outcome.end.kind === 'stopped') return
    const { end } = outcome
    if (this.#parts.calls.credentials.isHopeless) return this.#giveUp()
    this.#reason = reasonOf(end)
    if (end.kind === 'busy' && end.reason === 'ticket_expired') this.#parts.calls.credentials.expired()
    this.#count(outcome, wasLive)
    if (end.kind === 'done' || this.#isStreamGivenUp) this.#poller.start()
    this.#schedule(outcome)
    this.#publish()
  }

  #count({ end, livedMs }: StreamOutcome, wasLive: boolean): void {
    const { world, limits } = this.#parts
    this.#failures = livedMs !== null && livedMs >= limits.healthyMs ? 0 : this.#failures + 1
    if (wasLive) return
    if (end.kind === 'mute') this.#mutes += 1
    this.#framelessAtMs = [...this.#framelessAtMs, world.nowMs()].filter((atMs) => world.nowMs() - atMs <= limits.framelessWithinMs)
    if (this.#mutes >= limits.muteOpens || this.#framelessAtMs.length >= limits.framelessAttempts) this.#isStreamGivenUp = true
  }

  #schedule({ retryMs, end }: StreamOutcome): void {
    const { world, limits } = this.#parts
    const retryAfterMs = end.kind === 'refused' ? (end.error.retryAfterSeconds ?? 0) * 1_000 : 0
    const delayMs = this.#isStreamGivenUp
      ? probeMs(this.#probes++, limits)
      : backoffMs(Math.max(0, this.#failures - 1), world.random(), limits, Math.max(retryMs, retryAfterMs))
    this.#forgetNext()
    this.#nextAtMs = world.nowMs() + delayMs
    this.#forgetNext = world.after(delayMs, () => this.#open())
  }

  #dropStreams(): void {
    const attempts = [this.#live, this.#opening]
    this.#live = this.#opening = null
    for (const attempt of attempts) attempt?.stop()
  }

  /** Nobody takes who is asking: nothing is tried until somebody signs in. */
  #giveUp(): void {
    this.#forgetNext()
    this.#forgetReopen()
    this.#nextAtMs = null
    this.#poller.stop()
    this.#dropStreams()
    this.#publish()
  }

  // ── polling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #polled(): { ids: readonly string[]; everyMs: number } {
    const { limits, world } = this.#parts
    if (!this.#live) return { ids: this.#wanted, everyMs: world.page?.isHidden() ? limits.pollHiddenMs : limits.pollVisibleMs }
    const ids = this.#wanted.filter((id) => !this.#isFollowed(id) || this.#listener.needsRecord(id))
    return { ids, everyMs: limits.pollRestMs }
  }

  /** What a stream that works does not tell. */
  #mindTheRest(): void {
    if (this.#live && !this.#poller.isRunning && this.#polled().ids.length) this.#poller.start()
  }

  #onPolled(): void {
    const isBack = !this.#isPollGood && this.#isStreamGivenUp && this.#mutes < this.#parts.limits.muteOpens
    this.#isPollGood = true
    // The network was away and is back, so a stream will work too: no need to wait for the next probe.
    if (isBack && this.#opening === null && !this.#live) this.#open()
    this.#publish()
  }

  #onPollFailed(error: WaybillError): void {
    this.#isPollGood = false
    if (this.#parts.calls.credentials.isHopeless) return this.#giveUp()
    if (!this.#live) this.#reason = reasonOfError(error)
    this.#publish()
  }

  // ── how it stands ────────────────────────────────────────────────────────────────────────────────────────────────

  #publish(): void {
    const { world } = this.#parts
    const mode = this.#mode()
    const nextMs = Math.min(this.#nextAtMs ?? Infinity, this.#poller.nextAtMs ?? Infinity) - world.nowMs()
    const isWaiting = (mode === 'waiting' || mode === 'offline') && nextMs < Infinity
    const old = this.connection
    const reason = mode === 'idle' || mode === 'live' || mode === 'unauthorized' ? undefined : this.#reason
    this.connection = {
      mode,
      sinceMs: old.mode === mode ? old.sinceMs : world.nowMs(),
      ...(isWaiting ? { retryInSeconds: Math.max(0, Math.ceil(nextMs / 1_000)) } : {}),
      ...(reason === undefined ? {} : { reason }),
    }
    if (old.mode === mode && old.reason === reason && old.retryInSeconds === this.connection.retryInSeconds) this.connection = old
    else this.#listener.onConnection(this.connection)
  }

  #mode(): Connection['mode'] {
    if (!this.#wanted.length) return 'idle'
    if (this.#live) return 'live'
    if (this.#parts.calls.credentials.isHopeless) return 'unauthorized'
    if (this.#isStreamGivenUp && this.#isPollGood) return 'polling'
    if (this.#reason === undefined) return 'connecting'
    return this.#parts.world.page?.isOffline() ? 'offline' : 'waiting'
  }
}

function reasonOf(end: StreamEnd): string | undefined {
  if (end.kind === 'busy') return end.reason === 'max_age' || end.reason === 'ticket_expired' ? undefined : end.reason
  if (end.kind === 'mute') return 'mute'
  if (end.kind === 'silent') return 'timeout'
  if (end.kind === 'cut' || end.kind === 'refused') return reasonOfError(end.error)
  return undefined
}

function reasonOfError({ code, status }: WaybillError): string {
  if (code === 'NETWORK') return 'network'
  if (code === 'TIMED_OUT') return 'timeout'
  if (code === 'NOT_WAYBILL') return 'html'
  return status >= 500 || status === 429 ? 'overload' : 'refused'
}
