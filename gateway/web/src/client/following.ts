/**
 * Between the rows and what tells of them: which jobs are followed, by this tab's line or by another tab, and what a
 * message, a record or their absence means for a row.
 */

import { Alarm } from './alarm.ts'
import type { Parts } from './calls.ts'
import type { Histories } from './histories.ts'
import { goneJob, isEnded, type Message } from './job.ts'
import { Line, type LineListener } from './line.ts'
import { Observed } from './observed.ts'
import type { Row } from './rows.ts'
import type { Follower, Sharing, ShareTabs } from './sharing.ts'
import type { StreamMessage } from './stream.ts'
import type { Connection } from './types.ts'

/** What only the client can do. */
export interface FollowingListener {
  /** The server does not know a job; true when it is being created again. */
  onLost(row: Row): boolean
  /** Another tab changed the list of own jobs; `forgotten` is the key of what it took out. */
  onList(forgotten: string | null): void
}

export class Following implements Follower, LineListener {
  readonly connection: Observed<Connection>
  readonly parts: Parts
  readonly line: Line
  /** Null where every tab is for itself. */
  readonly tabs: Sharing | null
  readonly readList: FollowingListener['onList']
  isLeading = false
  readonly #listener: FollowingListener
  readonly #histories: Histories
  readonly #stale: Alarm
  #isHere = false

  constructor(
    parts: Parts & { readonly histories: Histories },
    sharing: { readonly name: string; readonly by: ShareTabs } | null,
    listener: FollowingListener,
    onObserved: (isObserved: boolean) => void,
  ) {
    this.parts = parts
    this.#histories = parts.histories
    this.#listener = listener
    this.readList = listener.onList
    this.#stale = new Alarm(parts.world)
    this.line = new Line(parts, this)
    this.connection = new Observed(this.line.connection, onObserved)
    this.tabs = sharing && sharing.by(sharing.name, this)
  }

  /** Begin, or go on after `leave()`; in between it does nothing. */
  start(): void {
    if (this.#isHere) return
    this.#isHere = true
    if (this.tabs) this.tabs.start()
    else this.lead(true)
  }

  /** Rows came, went or ended. */
  update(): void {
    if (this.isLeading) this.line.follow(this.wanted())
    else this.tabs?.wantChanged()
  }

  /** The page is left, perhaps for the back-forward cache: no stream, no timer. */
  leave(): void {
    this.#isHere = false
    this.tabs?.leave()
    this.lead(false)
    this.#stale.clear()
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
    const isWanted = ({ job, isForeign }: Row) => !isEnded(job) && job.state !== 'submitting' && (this.isLeading || !isForeign)
    return this.parts.rows.newest(isWanted).map(({ id }) => id)
  }

  lead(isLeading: boolean): void {
    this.isLeading = isLeading
    this.line.follow(isLeading ? this.wanted() : [])
  }

  // ── what is heard ────────────────────────────────────────────────────────────────────────────────────────────────

  onMessage({ jobId, eventId, message }: StreamMessage): void {
    this.tabs?.relay(jobId, eventId, message)
    this.take(jobId, eventId, message)
  }

  take(jobId: string, eventId: string | null, message: Message): void {
    const row = this.parts.rows.find(jobId)
    if (!row) return
    const reason = missingReason(eventId, message)
    if (reason) return this.missing(row, reason)
    const wasEnded = isEnded(row.job)
    if (this.parts.rows.take(row, eventId, message)) this.#histories.hear(row, eventId, message)
    if (wasEnded !== isEnded(row.job)) this.update()
  }

  onConnection(connection: Connection): void {
    if (isGood(connection)) this.tabs?.proven()
    this.tabs?.tellState(connection)
    if (this.isLeading || !this.tabs) this.publish(connection)
  }

  publish(connection: Connection): void {
    const { rows, limits } = this.parts
    this.connection.publish(connection)
    if (isGood(connection) || connection.mode === 'idle') {
      this.#stale.clear()
      rows.setStale(false)
    } else if (this.#stale.atMs === null) this.#stale.set(limits.staleAfterMs, () => rows.setStale(true))
  }
}

function isGood({ mode }: Connection): boolean {
  return mode === 'live' || mode === 'polling'
}

/** A stream of several jobs says of a single one that it is not there; so do the records of several, and another tab. */
function missingReason(eventId: string | null, { type, error }: Message): 'removed' | 'unknown' | null {
  if (type !== 'error' || eventId !== null) return null
  const code = (error as Message | undefined)?.['code']
  return code === 'GONE' ? 'removed' : code === 'NOT_FOUND' ? 'unknown' : null
}
