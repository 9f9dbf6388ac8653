/** The whole list: every job with its bar, its sentence and its buttons, and what the connection does. */

import { useCallback, useEffect, useMemo, useRef, type ReactNode } from 'react'

import type { CompletedJob, DownloadRequest, FailedJob, Job } from '../client/index.ts'
import { Announcer } from './Announcer.tsx'
import { ConnectionLine } from './ConnectionLine.tsx'
import { useDownload } from './hooks.ts'
import { JobRow } from './JobRow.tsx'
import { englishMessages, type Messages } from './messages.ts'

export interface DownloadManagerProps {
  /** The heading; `messages.title` when it is left out. */
  readonly title?: ReactNode
  /** What is shown while there is no job; `messages.empty` when it is left out. */
  readonly empty?: ReactNode
  /** A job was completed while this was mounted. */
  readonly onCompleted?: (job: CompletedJob) => void
  /** A job failed while this was mounted. */
  readonly onFailed?: (job: FailedJob) => void
  /** Offer to change what was asked for, where that is the way out; you are given the request. */
  readonly onChangeSelection?: (request: DownloadRequest) => void
  /** Words of your own, in place of the English ones. Keep the object: another one renders every row again. */
  readonly messages?: Partial<Messages>
  /** Show each job's stream, for developers. */
  readonly showEvents?: boolean
}

export function DownloadManager(props: DownloadManagerProps): ReactNode {
  const { title, empty, onCompleted, onFailed, onChangeSelection, showEvents = false } = props
  const messages = useMemo(() => ({ ...englishMessages, ...props.messages }), [props.messages])
  const { jobs } = useDownload()
  const section = useRef<HTMLElement>(null)
  useEnds(jobs, onCompleted, onFailed)
  const onRemove = useCallback((key: string) => moveFocus(section.current, key), [])
  return (
    <section ref={section} className="waybill" aria-label={typeof title === 'string' ? title : messages.title}>
      <h2 className="waybill-title" tabIndex={-1}>
        {title ?? messages.title}
      </h2>
      <ConnectionLine messages={messages} />
      {jobs.length === 0 && <div className="waybill-empty">{empty ?? messages.empty}</div>}
      <ul className="waybill-jobs">
        {jobs.map((job) => (
          <JobRow
            key={job.key}
            job={job}
            messages={messages}
            showEvents={showEvents}
            onChangeSelection={onChangeSelection}
            onRemove={onRemove}
          />
        ))}
      </ul>
      <Announcer jobs={jobs} messages={messages} />
    </section>
  )
}

/** Tell of ends that happen while this is mounted; a job that was over before is none. */
function useEnds(
  jobs: readonly Job[],
  onCompleted: DownloadManagerProps['onCompleted'],
  onFailed: DownloadManagerProps['onFailed'],
): void {
  const before = useRef(jobs)
  useEffect(() => {
    const known = new Map(before.current.map((job) => [job.key, job.state]))
    before.current = jobs
    for (const job of jobs) {
      const old = known.get(job.key)
      if (old === undefined || old === job.state) continue
      if (job.state === 'completed') onCompleted?.(job)
      if (job.state === 'failed') onFailed?.(job)
    }
  }, [jobs, onCompleted, onFailed])
}

/** Before a row goes with the focus in it: to the next row, else to the one before, else to the heading. */
function moveFocus(section: HTMLElement | null, key: string): void {
  const rows = [...(section?.querySelectorAll<HTMLElement>('.waybill-job') ?? [])]
  const at = rows.findIndex((row) => row.dataset['key'] === key)
  if (!rows[at]?.contains(document.activeElement)) return
  const next = (rows[at + 1] ?? rows[at - 1])?.querySelector<HTMLElement>('.waybill-name')
  ;(next ?? section?.querySelector<HTMLElement>('.waybill-title'))?.focus()
}
