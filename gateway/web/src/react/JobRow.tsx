/** One job of the list. It renders again for its own news alone; what ticks is in its sentence. */

import { memo, type ReactNode } from 'react'

import type { DownloadRequest, Job, ProcessingJob } from '../client/index.ts'
import { rate } from '../display/amount.ts'
import { useClient } from './context.ts'
import { EventLog } from './EventLog.tsx'
import { isUnfinished, nameOf, steadySentence } from './facts.ts'
import { JobActions } from './JobActions.tsx'
import { JobDetails } from './JobDetails.tsx'
import { JobSentence } from './JobSentence.tsx'
import type { Messages } from './messages.ts'
import { ProgressBar } from './ProgressBar.tsx'
import { StateIcon } from './StateIcon.tsx'

export interface JobRowProps {
  readonly job: Job
  readonly messages: Messages
  readonly showEvents: boolean
  readonly onChangeSelection: ((request: DownloadRequest) => void) | undefined
  readonly onRemove: (key: string) => void
}

export const JobRow = memo(function JobRow({ job, messages, showEvents, onChangeSelection, onRemove }: JobRowProps): ReactNode {
  const nowMs = useClient().serverNowMs()
  const name = nameOf(job, messages)
  return (
    <li className="waybill-job" data-state={job.state} data-stale={(job.isStale && isUnfinished(job)) || undefined} data-key={job.key}>
      <div className="waybill-head">
        <h3 className="waybill-name" tabIndex={-1}>
          {name}
        </h3>
        <span className="waybill-badge">
          <StateIcon state={job.state} />
          {messages.badges[job.state]}
          {job.attempt > 1 && job.state === 'processing' && ` (${messages.attempt(job.attempt)})`}
        </span>
      </div>
      <ProgressBar job={job} name={name} text={steadySentence(job, messages, nowMs)} />
      <p className="waybill-sentence">
        <JobSentence job={job} messages={messages} />
      </p>
      {job.state === 'processing' && <p className="waybill-quiet waybill-file">{whatIsCopied(job)}</p>}
      <JobActions
        job={job}
        name={name}
        messages={messages}
        onChangeSelection={onChangeSelection}
        onRemove={() => onRemove(job.key)}
      />
      {job.state !== 'submitting' && (
        <div className="waybill-more">
          <JobDetails job={job} messages={messages} />
          {showEvents && <EventLog id={job.id} messages={messages} />}
        </div>
      )}
    </li>
  )
})

/** Give the second line of a running job: which file, and how fast. */
function whatIsCopied({ currentFile, bytesPerSecond }: ProcessingJob): string {
  return [currentFile, bytesPerSecond ? rate(bytesPerSecond) : undefined].filter(Boolean).join(' · ')
}
