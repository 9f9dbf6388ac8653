/** A job's log, from its beginning: read when it is opened, and gone on with while it is open. */

import { useEffect, useRef, useState, type ReactNode, type RefObject } from 'react'

import type { JobEvent } from '../client/index.ts'
import { preciseClock } from '../display/moment.ts'
import { useJobEvents } from './hooks.ts'
import type { Messages } from './messages.ts'

const SAID_ELSEWHERE = ['id', 'type', 'at', 'job_id']

export function EventLog({ id, messages }: { id: string; messages: Messages }): ReactNode {
  const [isOpen, setOpen] = useState(false)
  return (
    <details className="waybill-details" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{messages.eventLog}</summary>
      {isOpen && <Events id={id} messages={messages} />}
    </details>
  )
}

function Events({ id, messages }: { id: string; messages: Messages }): ReactNode {
  const events = useJobEvents(id)
  const list = useNewestInView(events)
  if (events.length === 0) return <p className="waybill-quiet">{messages.noEvents}</p>
  return (
    // It scrolls by itself, so the keyboard must reach it.
    <ol ref={list} className="waybill-events" tabIndex={0} aria-label={messages.eventLog}>
      {events.map((event) => (
        <li key={event.id}>
          <time dateTime={event.at}>{preciseClock(new Date(event.at))}</time> <code>{event.id}</code>{' '}
          <b>{event.type}</b> <span>{restOf(event)}</span>
        </li>
      ))}
    </ol>
  )
}

/** Keep the newest event in view, unless somebody has scrolled up to read. */
function useNewestInView(events: readonly JobEvent[]): RefObject<HTMLOListElement | null> {
  const list = useRef<HTMLOListElement>(null)
  const lastTop = useRef(0)
  useEffect(() => {
    const shown = list.current
    if (!shown || shown.scrollTop < lastTop.current) return
    shown.scrollTop = shown.scrollHeight
    lastTop.current = shown.scrollTop
  }, [events])
  return list
}

function restOf(event: JobEvent): string {
  return Object.entries(event)
    .filter(([name, value]) => !SAID_ELSEWHERE.includes(name) && value !== null)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' · ')
}
