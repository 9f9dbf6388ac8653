/**
 * How the client hears of its jobs: by a stream; by polling where streams are mute or fail, with probes that bring the
 * stream back; and how that stands. Of the rows it reads places in logs, and who is queued; it changes none.
 *
 * ```
 *            first frame                        2 mute opens, or 3 without a frame in 60 s
 * connecting ───────────▶ live ──end──▶ waiting ─────────────────────────────────────────▶ polling ⇄ waiting
 *                          ▲               │ back-off                                          │
 *                          └───────────────┴──────────── first frame of a probe ───────────────┘
 * ```
 */

import { Alarm } from './alarm.ts'
import { backoffMs, probeMs } from './backoff.ts'
import type { Parts } from './calls.ts'
import { reasonOf, type WaybillError } from './errors.ts'
import type { Message } from './job.ts'
import { Poller, type PollListener } from './poller.ts'
import { StreamAttempt, type StreamListener, type StreamMessage, type StreamOutcome } from './stream.ts'
import type { Connection } from './types.ts'

export interface LineListener {
  onMessage(message: StreamMessage): void
  onConnection(connection: Connection): void
}

/** Ends of streams that are nobody's trouble. */
const IN_ORDER = ['done', 'over', 'max_age', 'ticket_expired']

export class Line implements StreamListener, PollListener {
  connection: Connection
  readonly onMessage: LineListener['onMessage']
  readonly #parts: Parts
  readonly #listener: LineListener
  readonly #poller: Poller
  /** The next stream: after a loss, and for jobs that came. */
  readonly #next: Alarm
  readonly #reopen: Alarm
  #wanted: readonly string[] = []
  #live: StreamAttempt | null = null
  #opening: StreamAttempt | null = null
  #failures = 0
  #probes = 0
  #mutes = 0
  #framelessAtMs: readonly number[] = []
  #isStreamGivenUp = false
  #isPollGood = false
  #reason: string | undefined
  #nudgedAtMs = -Infinity

  constructor(parts: Parts, listener: LineListener) {
    this.#parts = parts
    this.#listener = listener
    this.onMessage = (message) => listener.onMessage(message)
    this.#next = new Alarm(parts.world)
    this.#reopen = new Alarm(parts.world)
    this.#poller = new Poller(parts, this)
    this.connection = { mode: 'idle', sinceMs: parts.world.nowMs() }
  }

  /** Say which unfinished jobs are to be followed, newest first; those that have ended are simply not among them. */
  follow(ids: readonly string[]): void {
    const isFirst = !this.#wanted.length
    this.#wanted = ids
    if (!ids.length) return this.stop()
    if (isFirst) return this.#open()
    if (!this.#live && !this.#opening) return
    if (!this.#first().every((id) => covers(this.#live, id) || covers(this.#opening, id))) {
      this.#reopen.set(this.#parts.limits.reopenQuietMs, () => this.#open())
    }
    this.#mindTheRest()
  }

  /** Stop everything; `follow()` begins anew. */
  stop(): void {
    this.#wanted = []
    this.#rest()
  }

  /** Something suggests that a try may succeed now: the page is looked at again, the network is back. */
  nudge(): void {
    const { world, limits } = this.#parts
    if (!this.#wanted.length || world.nowMs() - this.#nudgedAtMs < limits.nudgeEveryMs) return
    this.#nudgedAtMs = world.nowMs()
    const isTrusted = this.#live && world.wallMs() - this.#live.lastByteAtWallMs <= limits.trustedMs
    if (!isTrusted && !this.#opening) this.#open()
    if (!this.#live && this.#poller.nextAtMs !== null) this.#poller.start()
  }

  /** Somebody signed in, or pressed a button: as if nothing had failed before. */
  tryNow(): void {
    this.#parts.calls.credentials.renew()
    this.#nudgedAtMs = -Infinity
    this.nudge()
  }

  // ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The jobs that one stream can tell of. */
  #first(): readonly string[] {
    return this.#wanted.slice(0, this.#parts.limits.jobsPerCall)
  }

  /** Open a stream; one that works stays until the new one has proven itself. */
  #open(): void {
    this.#next.clear()
    this.#reopen.clear()
    this.#opening?.stop()
    const jobs = this.#first().map((id) => ({ id, cursor: this.#parts.rows.find(id)?.cursor ?? null }))
    const attempt = (this.#opening = new StreamAttempt(this.#parts, jobs, this))
    void attempt.run().then((outcome) => this.#onEnd(attempt, outcome))
    this.#publish()
  }

  onLive(attempt: StreamAttempt): void {
    if (attempt !== this.#opening) return
    this.#live?.stop()
    this.#live = attempt
    this.#opening = null
    this.#forgive()
    this.#poller.stop()
    this.#mindTheRest()
    this.#publish()
  }

  #onEnd(attempt: StreamAttempt, { reason, livedMs, retryMs }: StreamOutcome): void {
    const wasLive = attempt === this.#live
    if (!wasLive && attempt !== this.#opening) return
    if (wasLive) this.#live = null
    else this.#opening = null
    const { calls, world, limits } = this.#parts
    if (calls.credentials.isHopeless) return this.#rest()
    if (reason === 'ticket_expired') calls.credentials.expired()
    this.#reason = IN_ORDER.includes(reason) ? undefined : reason
    if (livedMs >= limits.healthyMs) this.#failures = 0
    if (!wasLive) this.#count(reason)
    if (reason === 'done' || this.#isStreamGivenUp) this.#poller.start()
    const delayMs = this.#isStreamGivenUp ? probeMs(this.#probes++, limits) : backoffMs(this.#failures++, world.random(), limits, retryMs)
    this.#next.set(delayMs, () => this.#open())
    this.#publish()
  }

  /** A stream without a frame: of too many it is learnt that here they do not work. */
  #count(reason: string): void {
    const { world, limits } = this.#parts
    const nowMs = world.nowMs()
    if (reason === 'mute') this.#mutes += 1
    this.#framelessAtMs = [...this.#framelessAtMs, nowMs].filter((atMs) => nowMs - atMs <= limits.framelessWithinMs)
    if (this.#mutes >= limits.muteOpens || this.#framelessAtMs.length >= limits.framelessAttempts) this.#isStreamGivenUp = true
  }

  #forgive(): void {
    this.#mutes = this.#probes = 0
    this.#framelessAtMs = []
    this.#isStreamGivenUp = this.#isPollGood = false
    this.#reason = undefined
  }

  /** Try nothing: there is nothing to follow, or nobody takes who is asking until somebody signs in. */
  #rest(): void {
    this.#next.clear()
    this.#reopen.clear()
    this.#poller.stop()
    for (const attempt of [this.#live, this.#opening]) attempt?.stop()
    this.#live = this.#opening = null
    this.#failures = 0
    this.#forgive()
    this.#publish()
  }

  // ── polling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  polled(): { ids: readonly string[]; everyMs: number } {
    const { limits, world } = this.#parts
    if (!this.#live) return { ids: this.#wanted, everyMs: world.page?.isHidden() ? limits.pollHiddenMs : limits.pollVisibleMs }
    const ids = this.#wanted.filter((id) => !covers(this.#live, id) || this.#isQueued(id))
    return { ids, everyMs: limits.pollRestMs }
  }

  /** What a stream that works does not tell. */
  #mindTheRest(): void {
    if (this.#live && !this.#poller.isRunning && this.polled().ids.length) this.#poller.start()
  }

  /** How the line before a queued job moves is told by no event. */
  #isQueued(id: string): boolean {
    return this.#parts.rows.find(id)?.job.state === 'queued'
  }

  onPolled(jobId: string, message: Message): void {
    // A stream is ahead of a record that was read before: only the place in the line is news.
    const isNews = !covers(this.#live, jobId) || (this.#isQueued(jobId) && message['status'] === 'queued')
    if (isNews) this.onMessage({ jobId, eventId: null, message })
  }

  onAnswer(): void {
    const isBack = !this.#isPollGood && this.#isStreamGivenUp && this.#mutes < this.#parts.limits.muteOpens
    this.#isPollGood = true
    // The network was away and is back, so a stream will work too: no need to wait for the next probe.
    if (isBack && !this.#opening && !this.#live) this.#open()
    this.#publish()
  }

  onFailure(error: WaybillError): void {
    this.#isPollGood = false
    if (this.#parts.calls.credentials.isHopeless) return this.#rest()
    if (!this.#live) this.#reason = reasonOf(error)
    this.#publish()
  }

  // ── how it stands ────────────────────────────────────────────────────────────────────────────────────────────────

  #publish(): void {
    const { world } = this.#parts
    const old = this.connection
    const mode = this.#mode()
    const nextMs = Math.min(this.#next.atMs ?? Infinity, this.#poller.nextAtMs ?? Infinity) - world.nowMs()
    const isWaiting = nextMs < Infinity && (mode === 'waiting' || mode === 'offline')
    const retryInSeconds = isWaiting ? Math.max(0, Math.ceil(nextMs / 1_000)) : undefined
    const reason = mode === 'live' ? undefined : this.#reason
    if (old.mode === mode && old.reason === reason && old.retryInSeconds === retryInSeconds) return
    this.connection = { mode, reason, retryInSeconds, sinceMs: old.mode === mode ? old.sinceMs : world.nowMs() }
    this.#listener.onConnection(this.connection)
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

function covers(attempt: StreamAttempt | null, id: string): boolean {
  return attempt?.jobs.some((job) => job.id === id) ?? false
}
