/**
 * The events of jobs that somebody looks at: the server's log from its beginning, read when they begin to look, and
 * what is heard from then on. Where something was told without its events (a snapshot, a polled record) the log is
 * read on from where it was.
 */

import { jobPath, type Parts } from './calls.ts'
import { compareIds } from './event_id.ts'
import type { Message } from './job.ts'
import { Observed } from './observed.ts'
import type { Row } from './rows.ts'
import type { JobEvent } from './types.ts'

/** `jobId` is whose log was read: none while nobody looks, and a lost job that was made again has another. */
class History extends Observed<readonly JobEvent[]> {
  jobId = ''
  /** Up to which event it was. */
  readTo = '0-0'
  isReading = false
  isBehind = false
}

export class Histories {
  readonly #parts: Parts
  readonly #onObserved: (isObserved: boolean) => void
  readonly #histories = new Map<string, History>()

  constructor(parts: Parts, onObserved: (isObserved: boolean) => void) {
    this.#parts = parts
    this.#onObserved = onObserved
  }

  /** The events of one job, oldest first; always the same object for the same text. */
  of(idOrKey: string): Observed<readonly JobEvent[]> {
    const found = this.#histories.get(idOrKey)
    if (found) return found
    const history: History = new History([], (isObserved) => {
      this.#onObserved(isObserved)
      if (isObserved) void this.#read(idOrKey, history)
      else begin(history, '')
    })
    this.#histories.set(idOrKey, history)
    return history
  }

  /** Something new was heard of a job; `eventId` is null for what is no event of its log. */
  hear(row: Row, eventId: string | null, message: Message): void {
    for (const [idOrKey, history] of this.#histories) {
      if (!history.isObserved || this.#parts.rows.find(idOrKey) !== row) continue
      if (eventId === null || message['type'] === 'snapshot') void this.#read(idOrKey, history)
      else this.#add(history, [{ ...message, id: eventId } as JobEvent])
    }
  }

  /** Read the log to its end, a page at a time. */
  async #read(idOrKey: string, history: History): Promise<void> {
    history.isBehind = true
    if (history.isReading) return
    history.isReading = true
    // What cannot be read now is read when the next snapshot comes, or when somebody looks again.
    while (history.isBehind && history.isObserved) await this.#page(idOrKey, history).catch(() => {})
    history.isReading = false
  }

  async #page(idOrKey: string, history: History): Promise<void> {
    history.isBehind = false
    const job = this.#parts.rows.find(idOrKey)?.job
    if (job?.state === 'submitting') return
    const id = job?.id ?? idOrKey
    if (id !== history.jobId) begin(history, id)
    const path = jobPath(id, `/events?after=${history.readTo}&limit=${this.#parts.limits.eventsPerPage}`)
    const { body } = await this.#parts.calls.call(path, { jobIds: [id] })
    // Meanwhile nobody looks any more, or at another one.
    if (id !== history.jobId) return
    this.#add(history, body!['events'] as JobEvent[])
    history.readTo = String(body!['next_after'])
    history.isBehind ||= body!['has_more'] === true
  }

  #add(history: History, events: readonly JobEvent[]): void {
    if (!events.length) return
    const byId = new Map([...history.getSnapshot(), ...events].map((event) => [event.id, event]))
    const all = [...byId.values()].sort((one, other) => compareIds(one.id, other.id))
    history.publish(all.slice(-this.#parts.limits.eventsKept))
  }
}

/** Forget what was read: a thousand events that nobody looks at are not worth their memory. */
function begin(history: History, jobId: string): void {
  history.jobId = jobId
  history.readTo = '0-0'
  if (history.getSnapshot().length) history.publish([])
}
