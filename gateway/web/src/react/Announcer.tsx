/** The one place from which screen readers are told: politely, at most every five seconds, and merged. */

import { useEffect, useRef, useState, type ReactNode } from 'react'

import type { Job } from '../client/index.ts'
import { ANNOUNCE_EVERY_MS } from '../display/limits.ts'
import { merged, newsOf, type News } from './announcements.ts'
import { useClient } from './context.ts'
import type { Messages } from './messages.ts'

export function Announcer({ jobs, messages }: { jobs: readonly Job[]; messages: Messages }): ReactNode {
  const client = useClient()
  const before = useRef(jobs)
  const startedHere = useRef(new Set<string>())
  const [alert, setAlert] = useState('')
  const [status, tell] = useMerged(messages)
  useEffect(() => {
    for (const job of jobs) if (job.state === 'submitting') startedHere.current.add(job.key)
    const about = { messages, nowMs: client.serverNowMs(), startedHere: startedHere.current }
    const news = newsOf(before.current, jobs, about)
    before.current = jobs
    const urgent = news.filter(({ isUrgent }) => isUrgent)
    if (urgent.length > 0) setAlert(merged(urgent, messages))
    tell(news.filter(({ isUrgent }) => !isUrgent))
  }, [jobs, messages, client, tell])
  return (
    <div className="waybill-hidden">
      <div role="status">{status}</div>
      <div role="alert">{alert}</div>
    </div>
  )
}

function useMerged(messages: Messages): [string, (news: readonly News[]) => void] {
  const [text, setText] = useState('')
  const [queue] = useState(() => new AnnouncementQueue(setText))
  useEffect(() => {
    queue.messages = messages
  }, [queue, messages])
  useEffect(() => () => queue.stop(), [queue])
  return [text, queue.tell]
}

/** What waits to be said. The first is said at once, what comes within five seconds after it together. */
class AnnouncementQueue {
  messages: Messages | undefined
  #gathered: News[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #say: (text: string) => void

  constructor(say: (text: string) => void) {
    this.#say = say
  }

  readonly tell = (news: readonly News[]): void => {
    this.#gathered.push(...news)
    if (this.#timer === undefined) this.#flush()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #flush(): void {
    this.#timer = undefined
    if (this.#gathered.length === 0 || !this.messages) return
    this.#say(merged(this.#gathered, this.messages))
    this.#gathered = []
    this.#timer = setTimeout(() => this.#flush(), ANNOUNCE_EVERY_MS)
  }
}
