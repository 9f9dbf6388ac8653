/** What few people want to read of a job, and can copy: its id, codes, what was left out. */

import type { ReactNode } from 'react'

import type { Job } from '../client/index.ts'
import type { Messages } from './messages.ts'

export function JobDetails({ job, messages }: { job: Job; messages: Messages }): ReactNode {
  const skipped = job.state === 'completed' ? job.skipped : []
  return (
    <details className="waybill-details">
      <summary>
        {job.state === 'completed' && job.skippedCount > 0 ? messages.leftOut(job.skippedCount) : messages.details}
      </summary>
      <dl>
        {linesOf(job, messages).map(([term, text]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {skipped.length > 0 && (
        <ul>
          {skipped.map(({ fileId, name, reason }) => (
            <li key={fileId}>{[fileId, name, reason].filter(Boolean).join(' · ')}</li>
          ))}
        </ul>
      )}
    </details>
  )
}

function linesOf(job: Job, messages: Messages): readonly (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = [[messages.jobId, job.id]]
  if (job.state === 'failed' || job.state === 'retrying') {
    lines.push([messages.errorCode, `${job.error.code}: ${job.error.message}`])
  }
  if (job.state === 'completed' && job.crc32 !== null) lines.push([messages.checksum, job.crc32])
  return lines
}
