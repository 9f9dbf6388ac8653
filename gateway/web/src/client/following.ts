/**
 * Between the rows and what tells of them: which jobs are followed, by this tab's line or by another tab, and what a
 * message, a record or their absence means for a row.
 */

import type { Calls } from './calls.ts'
import { goneJob, isEnded, type Message } from './job.ts'
import type { Limits } from './limits.ts'
import { Line } from './line.ts'
import { Observed } from './observed.ts'
import type { Row, Rows } from './rows.ts'
import type { ServerClock } from './server_clock.ts'
import type { Follower, Sharing, ShareTabs } from './sharing.ts'
import type { Connection } from './types.ts'
import type { World } from './world.ts'

export interface Parts {
  readonly calls: Calls
  readonly world: World
  readonly limits: Limits
  readonly clock: ServerClock
  readonly rows: Rows
}

/** What only the client can do. */
export interface FollowingListener {
  /** The server does not know a job; true when it is being created again. */
  onLost(row: Row): boolean
  /** Another tab changed the list of own jobs; `forgotten` is the key of what it took out. */
  onList(forgotten: string | null): void
}

/** Tabs tell each other in this form that the server does not have a job. */
const MISSING = 'missing'

export class Following implements Follower {
  readonly connection: Observed<Connection>
  readonly parts: Parts
  isLeading = false
  readonly #listener: FollowingListener
  readonly #line: Line
  /** Null where every tab is for itself. */
  readonly #tabs: Sharing | null
  #forgetStale: (() => void) | null = null
  #isHere = false

  constructor(
    parts: Parts,
    sharing: { readonly name: string; readonly by: ShareTabs } | null,
    listener: FollowingListener,
    onObserved: (isObserved: boolean) => void,
  ) {
    this.parts = parts
    this.#listener = listener
    this.connection = new Observed<Connection>({ mode: 'idle', sinceMs: parts.world.nowMs() }, onObserved)
    this.#line = new Line(parts, {
      cursorOf: (id) => parts.rows.find(id)?.cursor ?? null,
      needsRecord: (id) => parts.rows.find(id)?.job.state === 'queued',
      onMessage: ({ jobId, eventId, message }) => this.#hear(jobId, eventId, message),
      onRecord: (id, record, isFollowed) => this.#onRecord(id, record, isFollowed),
      onMissing: (id, reason) => this.#hear(id, null, { type: MISSING, reason }),
      onServerTime: (serverMs) => parts.clock.heard(serverMs),
      onConnection: (connection) => this.#onOwnConnection(connection),
    })
    this.#tabs = sharing?.by(sharing.name, this) ?? null
  }

  get ownConnection(): Connection {
    return this.#line.connection
  }

  /** Begin, or go on after `leave()`; in between it does nothing. */
  start(): void {
    if (this.#isHere) return
    this.#isHere = true
    if (this.#tabs) this.#tabs.start()
    else this.lead(true)
  }

  /** Rows came, went or ended. */
  update(): void {
    if (this.isLeading) this.#line.follow(this.wanted())
    else this.#tabs?.wantChanged()
  }

  nudge(): void {
    this.#line.nudge()
  }

  tryNow(): void {
    this.#line.tryNow()
  }

  rankChanged(): void {
    this.#tabs?.rankChanged()
  }

  listChanged(forgotten: string | null): void {
    this.#tabs?.tellList(forgotten)
  }

  readList(forgotten: string | null): void {
    this.#listener.onList(forgotten)
  }

  /** The page is left, perhaps for the back-forward cache: no stream, no timer. */
  leave(): void {
    this.#isHere = false
    if (this.#tabs) this.#tabs.leave()
    this.lead(false)
    this.#forgetStale?.()
    this.#forgetStale = null
  }

  close(): void {
    this.#tabs?.close()
    this.leave()
  }

  /** The server does not have a job any more. */
  missing(row: Row, reason: 'removed' | 'unknown'): void {
    if (isEnded(row.job)) return
    if (reason === 'unknown' && !row.isForeign && this.#listener.onLost(row)) return
    this.parts.rows.put(row, goneJob(row.job, reason, this.parts.clock.nowMs()))
    this.update()
  }

  /** Unfinished jobs, newest first. */
  wanted(): readonly string[] {
    const rows = this.parts.rows.all().filter(({ job, isForeign }) => !isEnded(job) && job.state !== 'submitting' && (this.isLeading || !isForeign))
    return rows.sort((one, other) => other.job.createdAt - one.job.createdAt).map(({ job }) => job.id)
  }

  lead(isLeading: boolean): void {
    this.isLeading = isLeading
    this.#line.follow(isLeading ? this.wanted() : [])
  }

  // ── what is heard ────────────────────────────────────────────────────────────────────────────────────────────────

  #hear(jobId: string, eventId: string | null, message: Message): void {
    this.#tabs?.relay(jobId, eventId, message)
    this.take(jobId, eventId, message)
  }

  take(jobId: string, eventId: string | null, message: Message): void {
    const row = this.parts.rows.find(jobId)
    if (!row) return
    const reason = missingReason(eventId, message)
    if (reason) return this.missing(row, reason)
    const wasEnded = isEnded(row.job)
    this.parts.rows.take(row, eventId, message)
    if (wasEnded !== isEnded(row.job)) this.update()
  }

  #onRecord(id: string, record: Message, isFollowed: boolean): void {
    const row = this.parts.rows.find(id)
    if (!row) return
    // The stream is ahead of a record that was read before: only the place in the line is news.
    if (isFollowed && !(row.job.state === 'queued' && record['status'] === 'queued')) return
    this.parts.rows.takeRecord(row, record, isFollowed)
    this.#tabs?.relay(id, null, { ...record, type: 'snapshot' })
    if (isEnded(row.job)) this.update()
  }

  #onOwnConnection(connection: Connection): void {
    if (connection.mode === 'live' || connection.mode === 'polling') this.#tabs?.proven()
    this.#tabs?.tellState(connection)
    if (this.isLeading || !this.#tabs) this.publish(connection)
  }

  publish(connection: Connection): void {
    const isGood = connection.mode === 'live' || connection.mode === 'polling' || connection.mode === 'idle'
    this.connection.publish(connection)
    if (isGood) {
      this.#forgetStale?.()
      this.#forgetStale = null
      this.parts.rows.setStale(false)
      return
    }
    this.#forgetStale ??= this.parts.world.after(this.parts.limits.staleAfterMs, () => {
      // Better a row of which only the name is known than none, when nothing else may come for a while.
      for (const row of this.parts.rows.all()) row.isKnown = true
      this.parts.rows.setStale(true)
    })
  }
}

/** A stream of several jobs says of a single one that it is not there; so does another tab. */
function missingReason(eventId: string | null, message: Message): 'removed' | 'unknown' | null {
  if (message['type'] === MISSING) return message['reason'] === 'removed' ? 'removed' : 'unknown'
  if (message['type'] !== 'error' || eventId !== null) return null
  const code = (message['error'] as Message | undefined)?.['code']
  return code === 'GONE' ? 'removed' : code === 'NOT_FOUND' ? 'unknown' : null
}
