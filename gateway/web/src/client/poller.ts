/** Asking for records again and again: one request for up to fifty jobs, unchanged ones cost 304. One request at a time. */

import { backoffMs } from './backoff.ts'
import type { Calls } from './calls.ts'
import { JOBS } from './calls.ts'
import type { WaybillError } from './errors.ts'
import type { Message } from './job.ts'
import type { Limits } from './limits.ts'
import type { World } from './world.ts'

export interface PollListener {
  /** What to ask for now, and how many milliseconds after this answer to ask again. */
  polled(): { readonly ids: readonly string[]; readonly everyMs: number }
  onRecord(id: string, record: Message): void
  onMissing(id: string, reason: 'removed' | 'unknown'): void
  onAnswer(): void
  onFailure(error: WaybillError): void
}

export class Poller {
  /** When the next request goes out, by `nowMs()`; null while one is on its way, or none will be sent. */
  nextAtMs: number | null = null
  readonly #calls: Calls
  readonly #world: World
  readonly #limits: Limits
  readonly #listener: PollListener
  readonly #etags = new Map<string, string>()
  #forget: (() => void) | null = null
  #flight: AbortController | null = null
  #failures = 0

  constructor({ calls, world, limits }: { calls: Calls; world: World; limits: Limits }, listener: PollListener) {
    this.#calls = calls
    this.#world = world
    this.#limits = limits
    this.#listener = listener
  }

  get isRunning(): boolean {
    return this.#flight !== null || this.nextAtMs !== null
  }

  /** Ask at once, and from then on; what is on its way is awaited first. */
  start(): void {
    if (this.#flight === null) this.#schedule(0)
  }

  stop(): void {
    this.#forget?.()
    this.nextAtMs = null
    this.#flight?.abort()
    this.#flight = null
    this.#failures = 0
  }

  #schedule(delayMs: number): void {
    this.#forget?.()
    this.nextAtMs = this.#world.nowMs() + delayMs
    this.#forget = this.#world.after(delayMs, () => void this.#ask())
  }

  async #ask(): Promise<void> {
    const { ids } = this.#listener.polled()
    this.nextAtMs = null
    if (!ids.length) return
    const flight = (this.#flight = new AbortController())
    let failure: WaybillError | null = null
    try {
      for (let from = 0; from < ids.length; from += this.#limits.jobsPerCall) {
        await this.#batch(ids.slice(from, from + this.#limits.jobsPerCall), flight.signal)
      }
    } catch (error) {
      failure = error as WaybillError
    }
    if (this.#flight !== flight) return
    this.#flight = null
    this.#failures = failure ? this.#failures + 1 : 0
    const atLeastMs = (failure?.retryAfterSeconds ?? 0) * 1_000
    const { everyMs } = this.#listener.polled()
    const delayMs = failure ? backoffMs(this.#failures, this.#world.random(), this.#limits, Math.max(everyMs, atLeastMs)) : everyMs
    this.#schedule(delayMs)
    if (failure) this.#listener.onFailure(failure)
    else this.#listener.onAnswer()
  }

  async #batch(jobIds: readonly string[], signal: AbortSignal): Promise<void> {
    const path = `${JOBS}?${new URLSearchParams(jobIds.map((id) => ['job', id])).toString()}`
    const known = this.#etags.get(path)
    const { headers, body } = await this.#calls.call(path, { headers: known ? { 'if-none-match': known } : {}, jobIds, signal })
    // 304 has no body.
    if (!body || signal.aborted) return
    const etag = headers.get('etag')
    // Of the set of jobs as it is now: those of older sets are not asked for again.
    if (this.#etags.size > this.#limits.rememberedJobs) this.#etags.clear()
    if (etag) this.#etags.set(path, etag)
    for (const record of (body['jobs'] ?? []) as Message[]) this.#listener.onRecord(String(record['job_id']), record)
    for (const { job_id: id, code, message } of (body['missing'] ?? []) as Message[]) {
      if (code === 'NOT_FOUND' || code === 'GONE') this.#listener.onMissing(String(id), code === 'GONE' ? 'removed' : 'unknown')
      // One damaged job must not hold up the others.
      else this.#listener.onRecord(String(id), { status: 'failed', error: { code, message }, can_retry: false })
    }
  }
}
