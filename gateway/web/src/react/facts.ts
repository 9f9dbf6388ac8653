/** From a job as the client publishes it to the facts of its sentence, and its names. Pure: the time is passed in. */

import type { Job, ProcessingJob } from '../client/index.ts'
import { moment } from '../display/moment.ts'
import { sentence, type Facts } from '../display/sentences.ts'
import type { Messages } from './messages.ts'

const UNFINISHED = ['submitting', 'queued', 'processing', 'retrying']

/** Tell whether something still happens to a job by itself. */
export function isUnfinished(job: Job): boolean {
  return UNFINISHED.includes(job.state)
}

/** What the row knows beside the job: `remainingSeconds` is calmed, `isResumed` when a run took a lost one's place. */
export interface Observed {
  readonly nowMs: number
  readonly remainingSeconds?: number | undefined
  readonly isResumed?: boolean
}

/** Give the facts of a job's sentence. Times are by the server's clock. */
export function factsOf(job: Job, { nowMs, remainingSeconds, isResumed = false }: Observed): Facts {
  const common = { state: job.state, isCancelling: job.isCancelling, attempt: job.attempt }
  switch (job.state) {
    case 'submitting':
      return defined({ ...common, reason: job.error?.detail, retryInSeconds: secondsUntil(job.retryAt, nowMs) })
    case 'queued':
      return defined({
        ...common,
        queuePosition: job.position,
        remainingSeconds: job.remainingSeconds,
        // An estimate whose moment is over was wrong, and is told no more.
        startsInSeconds: notOver(secondsUntil(job.startsAt, nowMs)),
      })
    case 'processing':
      return defined({ ...common, ...progressOf(job, nowMs), remainingSeconds, isResumed })
    case 'retrying': {
      const { maxAttempts, error } = job
      return defined({ ...common, maxAttempts, reason: error.message, retryInSeconds: secondsUntil(job.retryAt, nowMs) })
    }
    case 'completed':
      return defined({
        ...common,
        totalFiles: job.filesTotal,
        skippedFiles: job.skippedCount,
        name: fileNameOf(job),
        archiveBytes: job.sizeBytes,
        availableUntil: moment(new Date(job.expiresAt), new Date(nowMs)),
      })
    case 'failed': {
      const { code, message, fileIds } = job.error
      return defined({ ...common, errorCode: code, reason: message, fileIds, canRetry: job.canRetry })
    }
    case 'cancelled':
      return { ...common, reason: job.reason }
    case 'gone':
      return { ...common, state: job.reason === 'unknown' ? 'lost' : 'gone' }
  }
}

/** Say where a job stands, without what ticks: for screen readers, and for the bar. */
export function steadySentence(job: Job, messages: Messages, nowMs: number): string {
  return sentence(factsOf(job, { nowMs: Math.min(nowMs, job.updatedAt) }), messages)
}

function progressOf(job: ProcessingJob, nowMs: number) {
  return {
    phase: job.phase,
    filesProcessed: job.filesDone,
    totalFiles: job.filesTotal,
    bytesProcessed: job.bytesDone,
    totalBytes: job.bytesTotal,
    // While nothing is heard, silence tells nothing.
    quietSeconds: job.isStale ? 0 : Math.max(0, nowMs - job.progressedAt) / 1_000,
  }
}

function secondsUntil(atMs: number | undefined, nowMs: number): number | undefined {
  return atMs === undefined ? undefined : (atMs - nowMs) / 1_000
}

function notOver(seconds: number | undefined): number | undefined {
  return seconds !== undefined && seconds >= 0 ? seconds : undefined
}

/** Give the name of a job's row. */
export function nameOf(job: Job, messages: Messages): string {
  return job.label ?? job.request?.archiveName ?? messages.unnamed(job.filesTotal)
}

/** Give the name that the archive is saved under; what somebody else asked for is not known. */
function fileNameOf({ request, id }: Job): string | undefined {
  if (!request) return undefined
  const name = request.archiveName ?? `waybill-${id.slice(0, 8)}`
  return name.toLowerCase().endsWith('.zip') ? name : `${name}.zip`
}

// A fact that is not known is left out, not undefined.
function defined(facts: { readonly [Name in keyof Facts]?: Facts[Name] | undefined } & Pick<Facts, 'state'>): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined)) as unknown as Facts
}
