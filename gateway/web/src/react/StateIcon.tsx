/** A shape for each state, for who does not see colours; the word stands beside it. */

import type { ReactNode } from 'react'

import type { JobState } from '../client/index.ts'

const PATHS: Readonly<Record<JobState, string>> = {
  submitting: 'M3 8h9M8.5 4.5 12 8l-3.5 3.5',
  queued: 'M8 4v4l2.5 2M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0',
  processing: 'M8 2.5v7M5 7l3 3 3-3M3 13h10',
  retrying: 'M13 8A5 5 0 1 1 11.5 4.5M13 2.5v3h-3',
  completed: 'm3.5 8.5 3 3 6-7',
  failed: 'M8 3.5v5.5M8 12v.1',
  cancelled: 'm4.5 4.5 7 7M11.5 4.5l-7 7',
  gone: 'M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9',
}

export function StateIcon({ state }: { state: JobState }): ReactNode {
  return (
    <svg className="waybill-icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[state]} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  )
}
