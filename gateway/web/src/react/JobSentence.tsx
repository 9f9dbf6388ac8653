/** The sentence of a job's row: the only part of it that ticks. */

import { useRef, type ReactNode } from 'react'

import type { Job } from '../client/index.ts'
import { calmed, type Calm } from '../display/duration.ts'
import { SHOWN_RESUMED_SECONDS } from '../display/limits.ts'
import { sentence } from '../display/sentences.ts'
import { useClient } from './context.ts'
import { factsOf } from './facts.ts'
import type { Messages } from './messages.ts'
import { useTicks } from './ticker.ts'

const TICKING = ['submitting', 'processing', 'retrying']

export function JobSentence({ job, messages }: { job: Job; messages: Messages }): ReactNode {
  const client = useClient()
  useTicks(TICKING.includes(job.state))
  const nowMs = client.serverNowMs()
  const remainingSeconds = useCalm(job, nowMs)
  const isResumed = useResumed(job, nowMs)
  return <>{sentence(factsOf(job, { nowMs, remainingSeconds, isResumed }), messages)}</>
}

// Both remember what was shown before. To render twice at one moment changes nothing, so Strict Mode sees no difference.

function useCalm(job: Job, nowMs: number): number | undefined {
  const calm = useRef<Calm | null>(null)
  const told = useRef<Job>(undefined)
  if (job.state !== 'processing' || job.remainingSeconds === undefined) {
    calm.current = null
    return undefined
  }
  const news = told.current === job ? null : Math.max(0, job.remainingSeconds - (nowMs - job.updatedAt) / 1_000)
  told.current = job
  calm.current = calmed(calm.current, news, nowMs, !job.isStale)
  return calm.current?.shownSeconds
}

function useResumed(job: Job, nowMs: number): boolean {
  const before = useRef(job)
  const sinceMs = useRef<number>(undefined)
  const wasRunning = before.current.state === 'processing' && job.state === 'processing'
  if (wasRunning && job.attempt > before.current.attempt) sinceMs.current = nowMs
  before.current = job
  return sinceMs.current !== undefined && nowMs - sinceMs.current < SHOWN_RESUMED_SECONDS * 1_000
}
