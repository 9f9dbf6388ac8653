/** How one tab follows for all: what the core asks of it, and gives it. Types alone; `waybill/tabs` has the code. */

import type { Message } from './job.ts'
import type { Limits } from './limits.ts'
import type { Rows } from './rows.ts'
import type { ServerClock } from './server_clock.ts'
import type { Connection } from './types.ts'
import type { World } from './world.ts'

/** One tab among others. */
export interface Sharing {
  start(): void
  /** The page goes into the back-forward cache, or away; `start()` comes back. */
  leave(): void
  /** This tab became visible or hidden. */
  rankChanged(): void
  /** The set of jobs that this tab wants followed has changed. */
  wantChanged(): void
  /** The own stream works, or its polling does. */
  proven(): void
  /** Pass on what is heard here. */
  relay(jobId: string, eventId: string | null, message: Message): void
  tellState(connection: Connection): void
  /** The remembered list has changed; `forgotten` is the key of what was taken out. */
  tellList(forgotten: string | null): void
}

/** This tab's following, as the other tabs meet it. */
export interface Follower {
  readonly parts: { readonly world: World; readonly limits: Limits; readonly rows: Rows; readonly clock: ServerClock }
  /** How the own line stands, whether it leads or not. */
  readonly line: { readonly connection: Connection }
  readonly isLeading: boolean
  /** Unfinished jobs, newest first; those of other tabs among them while this one leads. */
  wanted(): readonly string[]
  lead(isLeading: boolean): void
  update(): void
  take(jobId: string, eventId: string | null, message: Message): void
  publish(connection: Connection): void
  readList(forgotten: string | null): void
}

export type ShareTabs = (name: string, follower: Follower) => Sharing
