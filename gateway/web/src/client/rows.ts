/**
 * All jobs as they are known, and what is published of them: at most four times a second, states at once. A snapshot is
 * never changed, and a row in which nothing changed stays the same object.
 */

import { Alarm } from './alarm.ts'
import { compareIds } from './event_id.ts'
import type { Message } from './job.ts'
import { isEnded, told } from './job.ts'
import type { Limits } from './limits.ts'
import { Observed } from './observed.ts'
import { beginRate, bytesPerSecond, type Rate, sampleRate } from './rate.ts'
import type { Job } from './types.ts'
import type { World } from './world.ts'

/** One job, and what is not published of it. */
export interface Row {
  job: Job
  /** The last place of its log that is in `job`; null: a snapshot is wanted. */
  cursor: string | null
  /** False for a remembered job of which nothing is known yet but its id. */
  isKnown: boolean
  /** Followed for another tab only: not shown here. */
  isForeign: boolean
  /** A lost job is created again once. */
  isHealed: boolean
  watchers: number
  rate: Rate | null
}

export class Rows {
  readonly jobs: Observed<readonly Job[]>
  readonly #world: World
  readonly #limits: Limits
  readonly #onObserved: (isObserved: boolean) => void
  readonly #rows = new Set<Row>()
  readonly #single = new Map<string, Observed<Job | undefined>>()
  #isStale = false
  #publishedAtMs = -Infinity
  readonly #next: Alarm

  constructor(world: World, limits: Limits, onObserved: (isObserved: boolean) => void) {
    this.#world = world
    this.#limits = limits
    this.jobs = new Observed<readonly Job[]>([], onObserved)
    this.#onObserved = onObserved
    this.#next = new Alarm(world)
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** By id or key. */
  find(idOrKey: string): Row | undefined {
    return this.all().find(({ job }) => job.key === idOrKey || job.id === idOrKey)
  }

  all(): readonly Row[] {
    return [...this.#rows]
  }

  /** The jobs of the rows that are wanted, newest first. */
  newest(isWanted: (row: Row) => boolean): Job[] {
    return this.all().filter(isWanted).map(({ job }) => job).sort((one, other) => other.createdAt - one.createdAt)
  }

  /** What is published of one job; always the same object for the same text. */
  single(idOrKey: string): Observed<Job | undefined> {
    const found = this.#single.get(idOrKey) ?? new Observed(this.#shown(idOrKey), this.#onObserved)
    this.#single.set(idOrKey, found)
    return found
  }

  // ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  add(job: Job, more: { isKnown: boolean; isForeign?: boolean }): Row {
    const row = { isForeign: false, ...more, job, cursor: null, isHealed: false, watchers: 0, rate: null }
    this.#rows.add(row)
    this.publish(true)
    return row
  }

  remove(row: Row): void {
    this.#rows.delete(row)
    this.publish(true)
  }

  /** Put another job into a row; a change of its state is published at once. */
  put(row: Row, job: Job): void {
    const { id, state, isCancelling } = row.job
    const isUrgent = job.state !== state || job.id !== id || job.isCancelling !== isCancelling || !row.isKnown
    row.job = job
    row.isKnown = true
    this.publish(isUrgent)
  }

  /** Take a message; what is known already is dropped. Tells whether it was new. */
  take(row: Row, eventId: string | null, message: Message): boolean {
    const isSnapshot = message['type'] === 'snapshot'
    // A snapshot with `gap` begins anew, also where its place is an older one (writes were lost in a failover).
    const isAnew = isSnapshot && message['gap'] !== undefined
    const isNew = eventId === null || (isSnapshot && !row.isKnown) || compareIds(eventId, row.cursor) > 0
    if (!isAnew && (!isNew || (isEnded(row.job) && OF_A_RUN.test(String(message['type']))))) return false
    const job = this.#measured(row, told(row.job, message))
    if (eventId !== null) row.cursor = eventId
    // From a place behind what is shown now a stream would tell it again: let it begin with a snapshot.
    else if (isSnapshot && job !== row.job) row.cursor = null
    this.put(row, job)
    return true
  }

  /** Grey all rows whose values may be old, or bring them back. */
  setStale(isStale: boolean): void {
    this.#isStale = isStale
    // Better a row of which only the name is known than none, when nothing else may come for a while.
    if (isStale) for (const row of this.all()) row.isKnown = true
    this.publish(true)
  }

  close(): void {
    this.#next.clear()
  }

  // ── publishing ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Publish now when it is urgent, or nothing was published lately; else as soon as it may be. */
  publish(isUrgent: boolean): void {
    const everyMs = this.#world.page?.isHidden() ? this.#limits.publishHiddenMs : this.#limits.publishEveryMs
    const waitMs = isUrgent ? 0 : this.#publishedAtMs + everyMs - this.#world.nowMs()
    if (waitMs <= 0) this.#publishNow()
    else if (this.#next.atMs === null) this.#next.set(waitMs, () => this.#publishNow())
  }

  #publishNow(): void {
    this.#next.clear()
    this.#publishedAtMs = this.#world.nowMs()
    for (const row of this.all()) row.job = this.#marked(row.job)
    const shown = this.newest(isShown)
    const old = this.jobs.getSnapshot()
    if (shown.length !== old.length || shown.some((job, place) => job !== old[place])) this.jobs.publish(shown)
    for (const [text, observed] of this.#single) observed.publish(this.#shown(text))
  }

  #shown(idOrKey: string): Job | undefined {
    const row = this.find(idOrKey)
    return row && isShown(row) ? row.job : undefined
  }

  #marked(job: Job): Job {
    const isStale = this.#isStale && !isEnded(job) && job.state !== 'submitting'
    return job.isStale === isStale ? job : { ...job, isStale }
  }

  // ── a row's own measurements ─────────────────────────────────────────────────────────────────────────────────────

  /** Add the rate; keep the old object if nothing is new. What time is left is the server's to say: it knows the plan. */
  #measured(row: Row, job: Job): Job {
    const { rate } = row
    const isRunning = job.state === 'processing'
    const isSameRun = rate !== null && row.job.state === 'processing' && row.job.attempt === job.attempt
    // By the server's times: a burst after a hiccup of the network is none of its rate.
    const next = isSameRun ? sampleRate(rate, job.updatedAt, job.bytesDone, this.#limits.rateHalfLifeMs) : beginRate(job.updatedAt, job.bytesDone)
    row.rate = isRunning ? next : null
    const measured = isRunning ? { ...job, bytesPerSecond: bytesPerSecond(next) } : job
    return isSame(measured, row.job) ? row.job : measured
  }
}

/** After its end a job has none of these but behind `queued`. A record that was polled may have told the end before its stream tells the way there. */
const OF_A_RUN = /^(started|progress|retrying)$/

/** Tell whether nothing but the moment of the look is different. */
function isSame(one: Job, other: Job): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function isShown({ isKnown, isForeign }: Row): boolean {
  return isKnown && !isForeign
}
