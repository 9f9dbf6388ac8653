/** One attempt at a stream, from the request to its end: what it brought, and why it ended. It decides nothing. */

import { Alarm } from './alarm.ts'
import { jobQuery, parse, type Parts } from './calls.ts'
import { reasonOf, retryAfterSeconds } from './errors.ts'
import { readVector, vector } from './event_id.ts'
import type { Message } from './job.ts'
import { type Frame, FrameDecoder } from './sse.ts'

/** A job to follow, and the last place of its log that is known. */
export interface Followed {
  readonly id: string
  readonly cursor: string | null
}

export interface StreamMessage {
  readonly jobId: string
  /** Null for what the server made for this viewer alone, and moves no cursor. */
  readonly eventId: string | null
  readonly message: Message
}

export interface StreamOutcome {
  /**
   * Why it ended.
   *
   * - `done` (204) nothing will come for these jobs after these cursors; `over` it ended as HTTP says
   * - the server said `busy`: its reason; `mute` a head and no frame; `timeout` no head, or no byte for too long
   * - `network` the line broke; `html`, `overload`, `refused` any other answer
   */
  readonly reason: string
  /** From the first frame to the end; 0 when there was none. */
  readonly livedMs: number
  /** The server's last `retry:` or Retry-After; 0 where it said none. */
  readonly retryMs: number
}

export interface StreamListener {
  /** The first frame: the stream works. */
  onLive(attempt: StreamAttempt): void
  onMessage(message: StreamMessage): void
}

export class StreamAttempt {
  readonly jobs: readonly Followed[]
  readonly #parts: Parts
  readonly #listener: StreamListener
  /** Its reason is the outcome's. */
  readonly #stop = new AbortController()
  readonly #watchdog: Alarm
  readonly #decoder: FrameDecoder
  /** By the wall clock, which goes on while a computer sleeps. */
  lastByteAtWallMs: number
  #liveAtMs: number | null = null
  #busy: string | null = null
  #retryAfterMs = 0

  constructor(parts: Parts, jobs: readonly Followed[], listener: StreamListener) {
    this.#parts = parts
    this.jobs = jobs
    this.#listener = listener
    this.#watchdog = new Alarm(parts.world)
    this.#decoder = new FrameDecoder(parts.limits.maxFrameChars)
    this.lastByteAtWallMs = parts.world.wallMs()
  }

  /** End it now; nobody cares for its outcome then. */
  stop(reason = 'stopped'): void {
    this.#stop.abort(reason)
  }

  /** Read until the end; never rejects. */
  async run(): Promise<StreamOutcome> {
    // What was aborted, however that shows, was aborted for a reason.
    const reason = await this.#read().catch(() => (this.#stop.signal.reason as string | undefined) ?? 'network')
    this.#watchdog.clear()
    // Whatever ended it: nothing of the line may stay open.
    this.stop()
    const livedMs = this.#liveAtMs === null ? 0 : this.#parts.world.nowMs() - this.#liveAtMs
    return { reason, livedMs, retryMs: Math.max(this.#decoder.retryMs ?? 0, this.#retryAfterMs) }
  }

  async #read(): Promise<string> {
    const { limits, calls, world } = this.#parts
    const { signal } = this.#stop
    this.#expect(limits.headersMs, 'timeout')
    const options = { headers: { accept: 'text/event-stream' }, jobIds: this.jobs.map(({ id }) => id) }
    const response = await calls.open(this.#path(), options, signal)
    if (response.status === 204) return 'done'
    if (!response.ok || !isType(response, 'text/event-stream')) return this.#refused(response)
    this.#expect(limits.firstFrameMs, 'mute')
    const reader = response.body!.getReader()
    // Node's fetch leaves a read waiting for ever when it is aborted between two of them.
    signal.addEventListener('abort', () => void reader.cancel().catch(() => {}))
    for (;;) {
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (!done) {
        this.lastByteAtWallMs = world.wallMs()
        for (const frame of this.#decoder.push(value)) this.#take(frame)
        // Bytes that make no frame (comments of a proxy) do not prove that frames come through.
        if (this.#liveAtMs !== null) this.#expect(limits.anyByteMs, 'timeout')
        // Who was told the last event needs no more.
        signal.throwIfAborted()
      }
      if (this.#busy !== null) return this.#busy
      if (done) return this.#liveAtMs === null ? 'mute' : 'over'
    }
  }

  #path(): string {
    const cursors = this.jobs.map(({ cursor }) => cursor)
    const query = jobQuery(this.jobs.map(({ id }) => id))
    return `/v1/download/stream?${query}${cursors.some(Boolean) ? `&last_event_id=${vector(cursors)}` : ''}`
  }

  #refused(response: Response): string {
    this.#retryAfterMs = (retryAfterSeconds(response.headers) ?? 0) * 1_000
    return reasonOf({ status: response.status, code: isType(response, 'json') ? '' : 'NOT_WAYBILL' })
  }

  #take({ data, id }: Frame): void {
    const message = parse(data)
    if (!message) return
    const { type, at, reason } = message
    if (type === 'busy') this.#busy = String(reason)
    if (this.#liveAtMs === null) {
      this.#liveAtMs = this.#parts.world.nowMs()
      if (this.#busy === null) this.#listener.onLive(this)
    }
    // Made just now, for this viewer.
    if (type === 'heartbeat' || type === 'busy' || type === 'snapshot') this.#parts.clock.heard(Date.parse(String(at)))
    const place = this.jobs.findIndex((job) => job.id === message['job_id'])
    if (place < 0) return
    const eventId = (id === undefined ? null : readVector(id, this.jobs.length))?.[place] ?? null
    this.#listener.onMessage({ jobId: this.jobs[place]!.id, eventId, message })
  }

  /** Stop unless something comes in time. */
  #expect(withinMs: number, otherwise: string): void {
    this.#watchdog.set(withinMs, () => this.stop(otherwise))
  }
}

function isType(response: Response, type: string): boolean {
  return response.headers.get('content-type')?.includes(type) ?? false
}
