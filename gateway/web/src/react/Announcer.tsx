/** The one place from which screen readers are told: politely, at most every five seconds, and merged. */

import { useEffect, useRef, useState, type ReactNode } from 'react'

import type { Job } from '../client/index.ts'
import { SHOWN_LOST_SECONDS } from '../display/limits.ts'
import { AnnouncementQueue } from './announcement_queue.ts'
import { newsOf, type News } from './announcements.ts'
import { useClient } from './context.ts'
import { useConnection } from './hooks.ts'
import type { Messages } from './messages.ts'

export function Announcer({ jobs, messages }: { jobs: readonly Job[]; messages: Messages }): ReactNode {
  const client = useClient()
  const before = useRef(jobs)
  const startedHere = useRef(new Set<string>())
  // Each has its five seconds: twenty jobs that fail one after another are no twenty alerts.
  const [alert, warn, withdraw] = useMerged(messages)
  const [status, tell] = useMerged(messages)
  useConnectionNews(messages, tell)
  useEffect(() => {
    for (const job of jobs) if (job.state === 'submitting') startedHere.current.add(job.key)
    const about = { messages, nowMs: client.serverNowMs(), startedHere: startedHere.current }
    const news = newsOf(before.current, jobs, about)
    before.current = jobs
    // Whoever reads the page through meets this text too: a failure that was mended must not stand there.
    const failed = new Set(jobs.filter(({ state }) => state === 'failed').map(({ key }) => key))
    withdraw(({ key }) => failed.has(key))
    warn(news.filter(({ isUrgent }) => isUrgent))
    tell(news.filter(({ isUrgent }) => !isUrgent))
  }, [jobs, messages, client, tell, warn, withdraw])
  return (
    <div className="waybill-hidden">
      <div role="status">{status}</div>
      <div role="alert">{alert}</div>
    </div>
  )
}

function useMerged(messages: Messages): [string, AnnouncementQueue['tell'], AnnouncementQueue['retract']] {
  const [text, setText] = useState('')
  const [queue] = useState(() => new AnnouncementQueue(setText))
  useEffect(() => {
    queue.messages = messages
  }, [queue, messages])
  useEffect(() => () => queue.stop(), [queue])
  return [text, queue.tell, queue.retract]
}

/** Tell of a connection that stays away, once; that it is back is no news. */
function useConnectionNews(messages: Messages, tell: (news: readonly News[]) => void): void {
  const { mode, reason } = useConnection()
  useEffect(() => {
    const lostSeconds = SHOWN_LOST_SECONDS
    const text = messages.connection({ mode, lostSeconds, ...(reason !== undefined && { reason }) })
    if (text === null) return undefined
    const news = { key: 'connection', text, word: null, isUrgent: false }
    const timer = setTimeout(() => tell([news]), lostSeconds * 1_000)
    return () => clearTimeout(timer)
  }, [mode, reason, messages, tell])
}
