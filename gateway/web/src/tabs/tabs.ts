/**
 * Which tab of a browser holds the stream: the one that beats. No lock: two leaders for a moment are harmless, for every
 * tab knows its own places in the logs and drops what it has. A tab that hangs is simply not heard any more.
 *
 * ```
 * listening ──nobody beats──▶ leading ◀──make before break── following a hidden leader
 *     │                         │  ▲
 *     └──a beat──▶ following ◀──┘  └── silence, or `bye`
 *                  (a better rank beats)
 * ```
 */

import { compareIds } from '../client/event_id.ts'
import type { Message } from '../client/job.ts'
import type { Limits } from '../client/limits.ts'
import type { Sharing } from '../client/sharing.ts'
import type { Connection, Job } from '../client/types.ts'
import type { Channel, World } from '../client/world.ts'
import { openChannel } from './channel.ts'

export type TabMessage =
  | { readonly type: 'hello' | 'want'; readonly tab: string; readonly want: readonly string[] }
  | { readonly type: 'beat'; readonly tab: string; readonly isHidden: boolean; readonly cursors: Readonly<Record<string, string | null>> }
  | { readonly type: 'event'; readonly tab: string; readonly jobId: string; readonly eventId: string | null; readonly message: Message }
  | { readonly type: 'row'; readonly tab: string; readonly job: Job; readonly cursor: string | null }
  | { readonly type: 'state'; readonly tab: string; readonly connection: Connection }
  | { readonly type: 'list'; readonly tab: string; readonly forgotten: string | null }
  | { readonly type: 'bye'; readonly tab: string }

export interface TabListener {
  /** Follow the jobs here, or leave that to another tab. */
  onLead(isLeading: boolean): void
  /** Another tab wants these jobs to be followed. */
  onWant(tab: string, ids: readonly string[]): void
  /** A tab is new, or missed something: tell it what is known. */
  onHello(): void
  /** What the leader says, or that the list of own jobs has changed. */
  onMessage(message: TabMessage): void
  /** The places that this tab knows. */
  cursors(): Readonly<Record<string, string | null>>
  wants(): readonly string[]
}

export class Tabs implements Sharing {
  isLeading = false
  readonly #world: World
  readonly #limits: Limits
  readonly #listener: TabListener
  readonly #tab: string
  /** Open from `start()` to `leave()`: a page in the back-forward cache, and a client that is never used, hear nothing. */
  #channel: Channel | null = null
  readonly #name: string
  /** Leads already, but lets the hidden leader go on until its own stream works. */
  #isQuiet = false
  #leader: string | null = null
  #askedAtMs = -Infinity
  #forgetBeat = () => {}
  #forgetElection: (() => void) | null = null
  #isQuietElection = false

  constructor(name: string, world: World, limits: Limits, listener: TabListener) {
    this.#world = world
    this.#limits = limits
    this.#listener = listener
    this.#tab = world.newKey()
    this.#name = name
  }

  start(): void {
    this.#channel = (this.#world.channel ?? openChannel)(this.#name, (message) => this.#receive(message as TabMessage))
    if (!this.#channel) return this.#lead(false)
    this.#elect(this.#limits.listenMs)
    this.#hello()
  }

  /** The page goes into the back-forward cache, or away. Say goodbye, so that another tab takes over at once. */
  leave(): void {
    this.#send({ type: 'bye', tab: this.#tab })
    this.#channel?.close()
    this.#channel = null
    this.#stopElection()
    this.#follow(null)
  }

  /** This tab became visible or hidden: the leader should be one that is seen. */
  rankChanged(): void {
    if (this.isLeading) this.#beat()
    // Hidden it had the patience of a hidden tab.
    else if (this.#leader) this.#awaitSilence()
  }

  /** The set of jobs that this tab wants followed has changed. */
  wantChanged(): void {
    if (!this.isLeading) this.#send({ type: 'want', tab: this.#tab, want: this.#listener.wants() })
  }

  /** The own stream works: whoever led until now may stop. */
  proven(): void {
    if (!this.#isQuiet) return
    this.#isQuiet = false
    this.#beat()
  }

  /** Pass on what the stream says. */
  relay(jobId: string, eventId: string | null, message: Message): void {
    if (this.isLeading) this.#send({ type: 'event', tab: this.#tab, jobId, eventId, message })
  }

  tellRow(job: Job, cursor: string | null): void {
    if (this.isLeading) this.#send({ type: 'row', tab: this.#tab, job, cursor })
  }

  tellState(connection: Connection): void {
    if (this.isLeading && !this.#isQuiet) this.#send({ type: 'state', tab: this.#tab, connection })
  }

  /** The remembered list has changed; `forgotten` is the key of what was taken out. */
  tellList(forgotten: string | null): void {
    this.#send({ type: 'list', tab: this.#tab, forgotten })
  }

  #send(message: TabMessage): void {
    try {
      this.#channel?.send(message)
    } catch {
      // What cannot be cloned, or a channel that is closed: the other tabs ask for themselves.
    }
  }

  #hello(): void {
    this.#askedAtMs = this.#world.nowMs()
    this.#send({ type: 'hello', tab: this.#tab, want: this.#listener.wants() })
  }

  // ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(message: TabMessage): void {
    switch (message.type) {
      case 'hello':
      case 'want':
        this.#listener.onWant(message.tab, message.want)
        if (message.type === 'hello' && this.isLeading) {
          this.#listener.onHello()
          this.#beat()
        }
        return
      case 'bye':
        this.#listener.onWant(message.tab, [])
        if (message.tab === this.#leader) this.#elect(this.#drawn(this.#limits.electionAtLeastMs, this.#limits.electionAtMostMs))
        return
      case 'beat':
        return this.#onBeat(message)
      default:
        // A relayed event proves as well as a beat that its sender lives.
        if (message.tab === this.#leader && !this.isLeading) this.#awaitSilence()
        this.#listener.onMessage(message)
    }
  }

  #onBeat(beat: TabMessage & { type: 'beat' }): void {
    if (this.isLeading) {
      if (this.#isQuiet || !this.#isBetter(beat)) return
      this.#leader = beat.tab
      this.#follow(beat.tab)
      this.#hello()
      return
    }
    const isNew = this.#leader !== beat.tab
    this.#leader = beat.tab
    if (beat.isHidden && !this.#isHidden()) this.#elect(this.#drawn(0, this.#limits.rankJitterMs), true)
    else this.#awaitSilence()
    // At most once a second, or two tabs that cannot agree would keep each other busy.
    const mayAsk = this.#world.nowMs() - this.#askedAtMs >= this.#limits.beatEveryMs
    if (isNew || (mayAsk && this.#misses(beat.cursors))) this.#hello()
  }

  /** Messages of one tab arrive in order: what a beat names and is not here was missed (this tab was frozen). */
  #misses(cursors: Readonly<Record<string, string | null>>): boolean {
    const own = this.#listener.cursors()
    return Object.keys(own).some((id) => compareIds(cursors[id] ?? null, own[id] ?? null) > 0)
  }

  #isBetter(beat: TabMessage & { type: 'beat' }): boolean {
    if (beat.isHidden !== this.#isHidden()) return !beat.isHidden
    return beat.tab < this.#tab
  }

  #isHidden(): boolean {
    return this.#world.page?.isHidden() ?? false
  }

  #drawn(leastMs: number, mostMs: number): number {
    return leastMs + this.#world.random() * (mostMs - leastMs)
  }

  // ── leading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #awaitSilence(): void {
    const silenceMs = this.#isHidden() ? this.#limits.silenceHiddenMs : this.#limits.silenceVisibleMs
    this.#stopElection()
    this.#elect(silenceMs + this.#drawn(0, this.#limits.rankJitterMs))
  }

  /** Lead, unless somebody is heard until then; an election that is under way stays. */
  #elect(afterMs: number, isQuiet = false): void {
    if (this.isLeading || (isQuiet && this.#isQuietElection)) return
    this.#stopElection()
    this.#isQuietElection = isQuiet
    this.#forgetElection = this.#world.after(afterMs, () => this.#lead(isQuiet))
  }

  #stopElection(): void {
    this.#isQuietElection = false
    this.#forgetElection?.()
    this.#forgetElection = null
  }

  #lead(isQuiet: boolean): void {
    this.#stopElection()
    this.isLeading = true
    this.#isQuiet = isQuiet
    this.#leader = null
    this.#beat()
    this.#listener.onLead(true)
  }

  #follow(leader: string | null): void {
    const wasLeading = this.isLeading
    this.isLeading = this.#isQuiet = false
    this.#leader = leader
    this.#forgetBeat()
    if (leader) this.#awaitSilence()
    if (wasLeading) this.#listener.onLead(false)
  }

  #beat(): void {
    this.#forgetBeat()
    if (!this.#channel || !this.isLeading) return
    if (!this.#isQuiet) this.#send({ type: 'beat', tab: this.#tab, isHidden: this.#isHidden(), cursors: this.#listener.cursors() })
    this.#forgetBeat = this.#world.after(this.#limits.beatEveryMs, () => this.#beat())
  }
}
