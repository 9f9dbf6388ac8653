/** What a job is, from what the server says of it: records (GET, snapshots) and events. Pure. */

import type { Job, JobCommon, JobFailure, ProcessingJob, SkippedFile } from './types.ts'

/** An object of the server: any member may be missing, null, or new. */
export type Message = Readonly<Record<string, unknown>>

/** A job as it stands before the server has said anything. */
export function newJob(row: Pick<JobCommon, 'key' | 'label' | 'request' | 'isOwn' | 'createdAt'> & { id: string | null }): Job {
  return {
    id: row.id ?? row.key,
    key: row.key,
    label: row.label ?? row.request?.archiveName ?? null,
    request: row.request,
    isOwn: row.isOwn,
    createdAt: row.createdAt,
    updatedAt: row.createdAt,
    attempt: 0,
    filesDone: 0,
    filesTotal: row.request?.fileIds.length ?? 0,
    bytesDone: 0,
    bytesTotal: null,
    progress: null,
    isCancelling: false,
    isStale: false,
    state: row.id === null ? 'submitting' : 'queued',
  }
}

export function isEnded(job: Job): boolean {
  return job.state === 'completed' || job.state === 'failed' || job.state === 'cancelled' || job.state === 'gone'
}

/** Say that the server does not have it any more. */
export function goneJob(job: Job, reason: 'removed' | 'unknown', at: number): Job {
  return { ...common(job, { updatedAt: at, isCancelling: false }), state: 'gone', reason }
}

/**
 * The job as a record shows it. Progress does not fall, whatever is said (a job's bytes are copied once): only a
 * snapshot with `gap`, which may be another history after a failover, takes the place of what was shown.
 */
export function fromRecord(job: Job, record: Message): Job {
  const mayFall = record['gap'] !== undefined && record['gap'] !== null
  const base = common(job, {
    id: text(record['job_id']) ?? job.id,
    createdAt: time(record['created_at']) ?? job.createdAt,
    label: job.label ?? text(record['archive_name']) ?? null,
    ...counts(job, record, mayFall),
    attempt: number(record['attempt']) ?? job.attempt,
    updatedAt: time(record['updated_at']) ?? job.updatedAt,
  })
  switch (record['status']) {
    case 'queued':
      return queued(base, number(record['queue_position']), number(record['remaining_seconds']), startOf(record))
    case 'processing':
      return processing(job, base, record, job.state === 'processing' ? job.phase : guessPhase(base))
    case 'retrying':
      return {
        ...base,
        state: 'retrying',
        retryAt: time(record['retry_at']) ?? base.updatedAt,
        error: failure(record['error']),
        maxAttempts: job.state === 'retrying' ? job.maxAttempts : undefined,
      }
    case 'completed':
      return completed(base, record)
    case 'failed':
      return failed(base, record)
    case 'cancelled':
      return cancelled(base, record)
    default:
      return job
  }
}

/** The job after an event; the same object when the event means nothing to it. */
export function afterEvent(job: Job, event: Message): Job {
  const updatedAt = time(event['at']) ?? job.updatedAt
  const base = common(job, { ...counts(job, event, false), updatedAt })
  switch (event['type']) {
    case 'snapshot':
      return fromRecord(job, event)
    case 'queued':
      return queued({ ...base, isCancelling: false }, number(event['queue_position']))
    case 'started':
      return processing(job, { ...base, attempt: number(event['attempt']) ?? job.attempt }, event, 'planning')
    case 'progress':
      return processing(job, base, event, job.state === 'processing' ? job.phase : guessPhase(base))
    case 'retrying':
      return {
        ...base,
        attempt: number(event['attempt']) ?? job.attempt,
        state: 'retrying',
        retryAt: updatedAt + (number(event['retry_in_seconds']) ?? 0) * 1_000,
        error: failure(event['error']),
        maxAttempts: number(event['max_attempts']),
      }
    case 'completed':
      return completed(base, event)
    case 'error':
      return failed(base, event)
    case 'cancelled':
      return cancelled(base, event)
    default:
      return job
  }
}

/** The members that all states have, without those of the state it was in. */
function common(job: Job, changes: Partial<JobCommon>): JobCommon {
  const { id, key, label, request, isOwn, createdAt, updatedAt, attempt } = job
  const { filesDone, filesTotal, bytesDone, bytesTotal, progress, isCancelling, isStale } = job
  const counted = { filesDone, filesTotal, bytesDone, bytesTotal, progress }
  return { id, key, label, request, isOwn, createdAt, updatedAt, attempt, ...counted, isCancelling, isStale, ...changes }
}

function counts(job: Job, said: Message, mayFall: boolean): Partial<JobCommon> {
  const atLeast = (shown: number, value: unknown) => (mayFall ? number(value) : Math.max(shown, number(value) ?? 0)) ?? shown
  const bytesTotal = number(said['total_bytes']) ?? job.bytesTotal
  const progress = atLeast(job.progress ?? 0, said['progress'])
  return {
    filesDone: atLeast(job.filesDone, said['files_processed']),
    filesTotal: number(said['total_files']) ?? job.filesTotal,
    bytesDone: atLeast(job.bytesDone, said['bytes_processed']),
    bytesTotal,
    // While the files are looked up, a bar at 0 would stand still for as long as that takes.
    progress: bytesTotal === null && progress === 0 ? null : progress,
  }
}

function queued(base: JobCommon, position: number | undefined, remainingSeconds?: number, startsAt?: number): Job {
  return { ...base, state: 'queued', position, remainingSeconds, startsAt }
}

/** Only a snapshot says when its estimate was made; without that nobody knows when it is over. */
function startOf(record: Message): number | undefined {
  const [at, seconds] = [time(record['at']), number(record['starts_in_seconds'])]
  return at === undefined || seconds === undefined ? undefined : at + seconds * 1_000
}

function processing(job: Job, base: JobCommon, said: Message, phase: ProcessingJob['phase']): Job {
  const moved = base.bytesDone !== job.bytesDone || base.filesDone !== job.filesDone
  const isSameRun = job.state === 'processing' && job.attempt === base.attempt
  return {
    ...base,
    state: 'processing',
    phase: readPhase(said['phase']) ?? phase,
    progressedAt: isSameRun && !moved ? job.progressedAt : base.updatedAt,
    remainingSeconds: number(said['remaining_seconds']),
    currentFile: /^Bundling (.+)$/s.exec(text(said['message']) ?? '')?.[1],
    bytesPerSecond: isSameRun ? job.bytesPerSecond : undefined,
  }
}

/** The record does not have the phase; the counts tell which it must be. */
function guessPhase(base: JobCommon): ProcessingJob['phase'] {
  if (base.bytesTotal === null) return 'planning'
  return base.bytesDone >= base.bytesTotal ? 'finishing' : 'bundling'
}

function readPhase(value: unknown): ProcessingJob['phase'] | undefined {
  return value === 'planning' || value === 'bundling' || value === 'finishing' ? value : undefined
}

function completed(base: JobCommon, said: Message): Job {
  const skipped = Array.isArray(said['skipped']) ? (said['skipped'] as Message[]).map(skippedFile) : []
  return {
    ...base,
    state: 'completed',
    isCancelling: false,
    progress: 1,
    filesDone: base.filesTotal,
    bytesDone: base.bytesTotal ?? base.bytesDone,
    downloadPath: text(said['download_url']) ?? `/v1/download/jobs/${base.id}/file`,
    sizeBytes: number(said['archive_bytes']) ?? null,
    crc32: text(said['archive_crc32']) ?? null,
    expiresAt: time(said['expires_at']) ?? base.updatedAt,
    skipped,
    skippedCount: number(said['skipped_files']) ?? skipped.length,
  }
}

function skippedFile(said: Message): SkippedFile {
  return { fileId: number(said['file_id']) ?? 0, name: text(said['name']) ?? null, reason: text(said['reason']) ?? '' }
}

function failed(base: JobCommon, said: Message): Job {
  const canRetry = said['can_retry'] !== false
  return { ...base, state: 'failed', isCancelling: false, error: failure(said['error']), canRetry }
}

function cancelled(base: JobCommon, said: Message): Job {
  return { ...base, state: 'cancelled', isCancelling: false, reason: text(said['reason']) ?? '' }
}

function failure(said: unknown): JobFailure {
  const error = (said ?? {}) as Message
  const fileIds = error['file_ids']
  return {
    code: text(error['code']) ?? 'UNKNOWN',
    message: text(error['message']) ?? '',
    fileIds: Array.isArray(fileIds) ? (fileIds as number[]) : undefined,
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value ? value : undefined
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** Milliseconds since 1970 of an RFC 3339 time. */
function time(value: unknown): number | undefined {
  return typeof value === 'string' ? number(Date.parse(value)) : undefined
}
