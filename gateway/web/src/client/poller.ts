/** Asking for records again and again: one request for up to fifty jobs, unchanged ones cost 304. One request at a time. */

import { Alarm } from './alarm.ts'
import { backoffMs } from './backoff.ts'
import { JOBS, jobQuery, type Parts } from './calls.ts'
import type { WaybillError } from './errors.ts'
import type { Message } from './job.ts'

export interface PollListener {
  /** What to ask for now, and how many milliseconds after this answer to ask again. */
  polled(): { readonly ids: readonly string[]; readonly everyMs: number }
  /** A record is a snapshot without a place in the log; a job that cannot be had is told as a stream tells it. */
  onPolled(id: string, message: Message): void
  onAnswer(): void
  onFailure(error: WaybillError): void
}

export class Poller {
  readonly #parts: Parts
  readonly #listener: PollListener
  readonly #next: Alarm
  readonly #etags = new Map<string, string>()
  #flight: AbortController | null = null
  #failures = 0

  constructor(parts: Parts, listener: PollListener) {
    this.#parts = parts
    this.#listener = listener
    this.#next = new Alarm(parts.world)
  }

  /** When the next request goes out, by `nowMs()`; null while one is on its way, or none will be sent. */
  get nextAtMs(): number | null {
    return this.#next.atMs
  }

  get isRunning(): boolean {
    return this.#flight !== null || this.nextAtMs !== null
  }

  /** Ask at once, and from then on; what is on its way is awaited first. */
  start(): void {
    if (!this.#flight) this.#next.set(0, () => void this.#ask())
  }

  stop(): void {
    this.#next.clear()
    this.#flight?.abort()
    this.#flight = null
    this.#failures = 0
  }

  async #ask(): Promise<void> {
    const { world, limits } = this.#parts
    const { ids } = this.#listener.polled()
    if (!ids.length) return
    const flight = (this.#flight = new AbortController())
    let failure: WaybillError | null = null
    try {
      for (let from = 0; from < ids.length; from += limits.jobsPerCall) {
        await this.#batch(ids.slice(from, from + limits.jobsPerCall), flight)
      }
    } catch (error) {
      failure = error as WaybillError
    }
    if (this.#flight !== flight) return
    this.#flight = null
    this.#failures = failure ? this.#failures + 1 : 0
    const { everyMs } = this.#listener.polled()
    const atLeastMs = Math.max(everyMs, (failure?.retryAfterSeconds ?? 0) * 1_000)
    const delayMs = failure ? backoffMs(this.#failures, world.random(), limits, atLeastMs) : everyMs
    this.#next.set(delayMs, () => void this.#ask())
    if (failure) this.#listener.onFailure(failure)
    else this.#listener.onAnswer()
  }

  async #batch(jobIds: readonly string[], stop: AbortController): Promise<void> {
    const path = `${JOBS}?${jobQuery(jobIds)}`
    const known = this.#etags.get(path)
    const { headers, body } = await this.#parts.calls.call(path, { headers: known ? { 'if-none-match': known } : {}, jobIds, stop })
    if (!body || stop.signal.aborted) return
    const etag = headers.get('etag')
    // Of the set of jobs as it is now: those of older sets are not asked for again.
    if (this.#etags.size > this.#parts.limits.rememberedJobs) this.#etags.clear()
    if (etag) this.#etags.set(path, etag)
    for (const record of (body['jobs'] ?? []) as Message[]) this.#listener.onPolled(String(record['job_id']), { ...record, type: 'snapshot' })
    for (const { job_id: id, ...error } of (body['missing'] ?? []) as Message[]) {
      this.#listener.onPolled(String(id), { type: 'error', error, can_retry: false })
    }
  }
}
