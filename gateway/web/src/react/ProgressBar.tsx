/** The bar of a job's row. It is no live region (W3C ARIA25): what is worth saying is announced apart. */

import type { ReactNode } from 'react'

import type { Job } from '../client/index.ts'
import { percent } from '../display/amount.ts'
import { isUnfinished } from './facts.ts'

type Manner = 'full' | 'stopped' | 'waiting' | 'unknown' | 'striped' | 'moving'

export function ProgressBar({ job, name, text }: { job: Job; name: string; text: string }): ReactNode {
  if (job.state === 'cancelled' || job.state === 'gone') return null
  const manner = mannerOf(job)
  const ratio = manner === 'full' ? 1 : (job.progress ?? 0)
  // A bar that says 0 for ever would lie: without a value it is indeterminate.
  const value = manner === 'unknown' || manner === 'waiting' ? undefined : percent(ratio)
  return (
    <div
      className="waybill-bar"
      data-manner={manner}
      role="progressbar"
      aria-label={name}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={value}
      aria-valuetext={text}
    >
      <div className="waybill-bar-fill" style={{ transform: `scaleX(${ratio})` }} />
    </div>
  )
}

function mannerOf(job: Job): Manner {
  if (job.state === 'completed') return 'full'
  if (!isUnfinished(job)) return 'stopped'
  if (job.state === 'queued') return 'waiting'
  if (job.state === 'retrying') return 'striped'
  return job.state === 'submitting' || job.progress === null ? 'unknown' : 'moving'
}
