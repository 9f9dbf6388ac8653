/**
 * What a screen reader is told: changes of state, and quarters of a single running job. Pure.
 *
 * Progress that ticks is never told: people would hear hundreds of updates. What comes within five seconds is merged.
 */

import type { Job } from '../client/index.ts'
import { percent } from '../display/amount.ts'
import { isUnfinished, nameOf, steadySentence } from './facts.ts'
import type { Messages } from './messages.ts'

const MOST_AT_ONCE = 2

export interface News {
  readonly key: string
  readonly text: string
  /** What it is counted under among many; null: it is always said in full. */
  readonly word: string | null
  /** A job failed that was started in this tab: told at once. */
  readonly isUrgent: boolean
}

/** Compare two published lists; a job that was not there before is no news, but for those in `startedHere`. */
export function newsOf(
  before: readonly Job[],
  after: readonly Job[],
  { messages, nowMs, startedHere }: { messages: Messages; nowMs: number; startedHere: ReadonlySet<string> },
): readonly News[] {
  const known = new Map(before.map((job) => [job.key, job]))
  const isAlone = after.filter(isUnfinished).length === 1
  return after.flatMap((job) => {
    const old = known.get(job.key)
    if (!old || job.state === 'submitting') return []
    const told = (text: string): News[] => {
      const isUrgent = job.state === 'failed' && startedHere.has(job.key)
      return [{ key: job.key, text, word: messages.badges[job.state], isUrgent }]
    }
    const name = nameOf(job, messages)
    if (old.state !== job.state) return told(messages.announce(name, spoken(job, messages, nowMs)))
    const quarter = isAlone && job.state === 'processing' ? quarterPassed(old.progress, job.progress) : null
    return quarter === null ? [] : told(messages.announceProgress(name, quarter))
  })
}

// What has an end of its own is told in full, what passes by in a word.
function spoken(job: Job, messages: Messages, nowMs: number): string {
  if (job.state === 'queued' || job.state === 'processing') return `${messages.badges[job.state]}.`
  return steadySentence(job, messages, nowMs)
}

function quarterPassed(before: number | null, after: number | null): number | null {
  const quarter = Math.floor(percent(after ?? 0) / 25) * 25
  return quarter > percent(before ?? 0) && quarter < 100 ? quarter : null
}

/** Make one text of what has gathered: of each job its newest news; of many jobs how many are where. */
export function merged(gathered: readonly News[], messages: Messages): string {
  const newest = [...new Map(gathered.map((news) => [news.key, news])).values()]
  if (newest.length <= MOST_AT_ONCE) return newest.map(({ text }) => text).join(' ')
  const inFull = newest.filter(({ word }) => word === null).map(({ text }) => text)
  const counts = new Map<string, number>()
  for (const { word } of newest) if (word !== null) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...inFull, ...[...counts].map(([word, count]) => messages.announceSeveral(word, count))].join(' ')
}
