/** One attempt at a stream, from the request to its end: what it brought, and why it ended. It decides nothing. */

import type { Calls } from './calls.ts'
import { asWaybillError } from './calls.ts'
import { errorOfAnswer, WaybillError } from './errors.ts'
import { readVector, vector } from './event_id.ts'
import type { Message } from './job.ts'
import type { Limits } from './limits.ts'
import { FrameDecoder } from './sse.ts'
import type { World } from './world.ts'

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

/**
 * Why a stream ended.
 *
 * - `done` (204) nothing will come for these jobs after these cursors; `over` it ended as HTTP says
 * - `busy` the server said so; `mute` a head and no frame; `silent` no byte for too long; `cut` the line broke
 * - `refused` any other status, or no stream at all; `stopped` we wanted it
 */
export type StreamEnd =
  | { readonly kind: 'done' | 'over' | 'mute' | 'silent' | 'stopped' }
  | { readonly kind: 'busy'; readonly reason: string }
  | { readonly kind: 'cut' | 'refused'; readonly error: WaybillError }

export interface StreamOutcome {
  readonly end: StreamEnd
  /** From the first frame to the end; null when there was none. */
  readonly livedMs: number | null
  /** The server's last `retry:`; 0 where it said none. */
  readonly retryMs: number
}

export interface StreamListener {
  /** The first frame: the stream works. */
  onLive(): void
  onMessage(message: StreamMessage): void
  /** A moment that the server has just named. */
  onServerTime(serverMs: number): void
}

/** What a watchdog aborts with. */
class Breach {
  readonly kind: 'mute' | 'silent'

  constructor(kind: 'mute' | 'silent') {
    this.kind = kind
  }
}

export function streamPath(jobs: readonly Followed[]): string {
  const query = new URLSearchParams(jobs.map(({ id }) => ['job', id]))
  if (jobs.some(({ cursor }) => cursor !== null)) query.set('last_event_id', vector(jobs.map(({ cursor }) => cursor)))
  return `/v1/download/stream?${query.toString()}`
}

export class StreamAttempt {
  readonly jobs: readonly Followed[]
  readonly #calls: Calls
  readonly #world: World
  readonly #limits: Limits
  readonly #listener: StreamListener
  readonly #stop = new AbortController()
  readonly #decoder: FrameDecoder
  /** By the wall clock, which goes on while a computer sleeps. */
  lastByteAtWallMs: number
  #liveAtMs: number | null = null
  #busy: string | null = null
  #forget = () => {}

  constructor(
    { calls, world, limits }: { calls: Calls; world: World; limits: Limits },
    jobs: readonly Followed[],
    listener: StreamListener,
  ) {
    this.#calls = calls
    this.#world = world
    this.#limits = limits
    this.jobs = jobs
    this.#listener = listener
    this.#decoder = new FrameDecoder(limits.maxFrameChars)
    this.lastByteAtWallMs = world.wallMs()
  }

  /** End it now; `run()` then gives `stopped`. */
  stop(): void {
    this.#stop.abort(STOPPED)
  }

  /** Read until the end; never rejects. */
  async run(): Promise<StreamOutcome> {
    const end = await this.#read().catch((error: unknown) => this.#failure(error))
    this.#forget()
    // Whatever ended it: nothing of the line may stay open.
    this.#stop.abort(STOPPED)
    const livedMs = this.#liveAtMs === null ? null : this.#world.nowMs() - this.#liveAtMs
    return { end, livedMs, retryMs: this.#decoder.retryMs ?? 0 }
  }

  async #read(): Promise<StreamEnd> {
    this.#expect(this.#limits.headersMs, 'silent')
    const options = { headers: { accept: 'text/event-stream' }, jobIds: this.jobs.map(({ id }) => id) }
    const response = await this.#calls.open(streamPath(this.jobs), options, this.#stop.signal)
    if (response.status === 204) return { kind: 'done' }
    if (!response.ok || !response.headers.get('content-type')?.startsWith('text/event-stream')) return refusedBy(response)
    this.#expect(this.#limits.firstFrameMs, 'mute')
    const reader = response.body!.getReader()
    const { signal } = this.#stop
    // Node's fetch leaves a read waiting for ever when it is aborted between two of them.
    signal.addEventListener('abort', () => void reader.cancel().catch(() => {}))
    for (;;) {
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) return this.#ended()
      this.lastByteAtWallMs = this.#world.wallMs()
      for (const frame of this.#decoder.push(value)) this.#take(frame.event, frame.data, frame.id)
      // Bytes that make no frame (comments of a proxy) do not prove that frames come through.
      if (this.#liveAtMs !== null) this.#expect(this.#limits.anyByteMs, 'silent')
      if (this.#busy !== null) return this.#ended()
      // Who was told the last event needs no more.
      signal.throwIfAborted()
    }
  }

  #ended(): StreamEnd {
    if (this.#busy !== null) return { kind: 'busy', reason: this.#busy }
    return { kind: this.#liveAtMs === null ? 'mute' : 'over' }
  }

  #take(event: string, data: string, id: string | undefined): void {
    const message = parse(data)
    if (!message) return
    if (this.#liveAtMs === null) {
      this.#liveAtMs = this.#world.nowMs()
      if (message['type'] !== 'busy') this.#listener.onLive()
    }
    if (event === 'heartbeat' || message['type'] === 'busy' || message['type'] === 'snapshot') {
      this.#listener.onServerTime(Date.parse(String(message['at'])))
    }
    if (message['type'] === 'busy') this.#busy = String(message['reason'])
    else if (event === 'message') this.#tell(message, id)
  }

  #tell(message: Message, id: string | undefined): void {
    const place = this.jobs.findIndex((job) => job.id === message['job_id'])
    if (place < 0) return
    const eventId = (id === undefined ? null : readVector(id, this.jobs.length))?.[place] ?? null
    this.#listener.onMessage({ jobId: this.jobs[place]!.id, eventId, message })
  }

  #failure(error: unknown): StreamEnd {
    const { reason } = this.#stop.signal
    if (reason === STOPPED) return { kind: 'stopped' }
    if (reason instanceof Breach && (reason.kind === 'mute' || this.#liveAtMs !== null)) return { kind: reason.kind }
    return { kind: 'cut', error: asWaybillError(error, this.#stop.signal) }
  }

  /** Abort unless something comes in time. */
  #expect(withinMs: number, kind: 'mute' | 'silent'): void {
    this.#forget()
    this.#forget = this.#world.after(withinMs, () => this.#stop.abort(new Breach(kind)))
  }
}

const STOPPED = 'stopped'

async function refusedBy(response: Response): Promise<StreamEnd> {
  const body = response.headers.get('content-type')?.includes('json') ? parse(await response.text()) : undefined
  return { kind: 'refused', error: errorOfAnswer(response.status, response.headers, body) }
}

function parse(data: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null ? (value as Message) : undefined
  } catch {
    return undefined
  }
}
