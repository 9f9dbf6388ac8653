/** What a job is, from what the server says of it: records (GET, snapshots) and events. Pure. */

import type { Job, JobCommon, JobFailure, ProcessingJob, SkippedFile } from './types.ts'

/** An object of the server: any member may be missing, null, or new. */
export type Message = Readonly<Record<string, unknown>>

/** A job as it stands before the server has said anything; without an id it has not been accepted yet. */
export function newJob(row: Pick<JobCommon, 'key' | 'label' | 'request' | 'isOwn' | 'createdAt'> & { id: string | null }): Job {
  const { key, label, request, isOwn, createdAt, id } = row
  return {
    id: id ?? key,
    key,
    label: label ?? request?.archiveName ?? null,
    request,
    isOwn,
    createdAt,
    updatedAt: createdAt,
    attempt: 0,
    filesDone: 0,
    filesTotal: request?.fileIds.length ?? 0,
    bytesDone: 0,
    bytesTotal: null,
    progress: null,
    isCancelling: false,
    isStale: false,
    state: id === null ? 'submitting' : 'queued',
  }
}

/** A job of which nothing is known but its id. */
export function unknownJob(id: string, createdAt: number): Job {
  return newJob({ key: id, id, label: null, request: null, isOwn: false, createdAt })
}

export function isEnded({ state }: Job): boolean {
  return /^(completed|failed|cancelled|gone)$/.test(state)
}

/** Say that the server does not have it any more. */
export function goneJob(job: Job, reason: 'removed' | 'unknown', at: number): Job {
  return { ...common(job), updatedAt: at, isCancelling: false, state: 'gone', reason }
}

/**
 * The job after what the server said of it, an event or a record (which says the state itself); the same object when
 * that means nothing to it. Progress does not fall, whatever is said (a job's bytes are copied once): only a snapshot
 * with `gap`, which may be another history after a failover, takes the place of what was shown.
 */
export function told(job: Job, said: Message): Job {
  const { type, status } = said
  const state = type === undefined || type === 'snapshot' ? status : STATES[type as string]
  const base = { ...common(job), ...facts(job, said) }
  switch (state) {
    case 'queued':
      return {
        ...base,
        state,
        isCancelling: false,
        position: number(said['queue_position']),
        remainingSeconds: number(said['remaining_seconds']),
        startsAt: startOf(said),
      }
    case 'processing':
      return processing(job, base, said)
    case 'retrying':
      return {
        ...base,
        state,
        retryAt: time(said['retry_at']) ?? base.updatedAt + (number(said['retry_in_seconds']) ?? 0) * 1_000,
        error: failure(said['error']),
        // A record does not say it.
        maxAttempts: number(said['max_attempts']) ?? (job as { maxAttempts?: number }).maxAttempts,
      }
    case 'completed':
      return completed(base, said)
    case 'failed':
      return { ...base, state, isCancelling: false, error: failure(said['error']), canRetry: said['can_retry'] !== false }
    case 'cancelled':
      return { ...base, state, isCancelling: false, reason: text(said['reason']) ?? '' }
    default:
      return job
  }
}

/** In which state an event leaves its job. */
const STATES: Readonly<Record<string, string>> = {
  queued: 'queued',
  started: 'processing',
  progress: 'processing',
  retrying: 'retrying',
  completed: 'completed',
  error: 'failed',
  cancelled: 'cancelled',
}

/** The members that all states have. */
const COMMON: readonly (keyof JobCommon)[] = [
  'id', 'key', 'label', 'request', 'isOwn', 'createdAt', 'updatedAt', 'attempt',
  'filesDone', 'filesTotal', 'bytesDone', 'bytesTotal', 'progress', 'isCancelling', 'isStale',
]

/** The job without what belongs to the state that it was in. */
function common(job: Job): JobCommon {
  return Object.fromEntries(COMMON.map((name) => [name, job[name]])) as unknown as JobCommon
}

/** What may be said with any state. */
function facts(job: Job, said: Message) {
  const mayFall = (said['gap'] ?? null) !== null
  const atLeast = (shown: number, value: unknown) => (mayFall ? number(value) : Math.max(shown, number(value) ?? 0)) ?? shown
  const bytesTotal = number(said['total_bytes']) ?? job.bytesTotal
  const progress = atLeast(job.progress ?? 0, said['progress'])
  return {
    id: text(said['job_id']) ?? job.id,
    createdAt: time(said['created_at']) ?? job.createdAt,
    label: job.label ?? text(said['archive_name']) ?? null,
    updatedAt: time(said['updated_at']) ?? time(said['at']) ?? job.updatedAt,
    attempt: number(said['attempt']) ?? job.attempt,
    filesDone: atLeast(job.filesDone, said['files_processed']),
    filesTotal: number(said['total_files']) ?? job.filesTotal,
    bytesDone: atLeast(job.bytesDone, said['bytes_processed']),
    bytesTotal,
    // While the files are looked up, a bar at 0 would stand still for as long as that takes.
    progress: bytesTotal === null && progress === 0 ? null : progress,
  }
}

/** Only a snapshot says when its estimate was made; without that nobody knows when it is over. */
function startOf(said: Message): number | undefined {
  const [at, seconds] = [time(said['at']), number(said['starts_in_seconds'])]
  return at === undefined || seconds === undefined ? undefined : at + seconds * 1_000
}

function processing(job: Job, base: JobCommon, said: Message): Job {
  const moved = base.bytesDone !== job.bytesDone || base.filesDone !== job.filesDone
  const sameRun = job.state === 'processing' && job.attempt === base.attempt ? job : null
  return {
    ...base,
    state: 'processing',
    phase: PHASES.find((phase) => phase === said['phase']) ?? guessPhase(job, base, said),
    progressedAt: sameRun && !moved ? sameRun.progressedAt : base.updatedAt,
    remainingSeconds: number(said['remaining_seconds']),
    currentFile: /^Bundling (.+)$/s.exec(text(said['message']) ?? '')?.[1],
    bytesPerSecond: sameRun?.bytesPerSecond,
  }
}

const PHASES: readonly ProcessingJob['phase'][] = ['planning', 'bundling', 'finishing']

/** It is said when it changes. A record does not have it; there the counts tell which it must be. */
function guessPhase(job: Job, { bytesDone, bytesTotal }: JobCommon, { type }: Message): ProcessingJob['phase'] {
  if (type === 'started' || (job.state !== 'processing' && bytesTotal === null)) return 'planning'
  if (job.state === 'processing') return job.phase
  return bytesDone >= bytesTotal! ? 'finishing' : 'bundling'
}

function completed(base: JobCommon, said: Message): Job {
  const skipped = list<Message>(said['skipped'])?.map(skippedFile) ?? []
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

function failure(said: unknown): JobFailure {
  const { code, message, file_ids: fileIds } = (said ?? {}) as Message
  return { code: text(code) ?? 'UNKNOWN', message: text(message) ?? '', fileIds: list<number>(fileIds) }
}

function list<T>(value: unknown): T[] | undefined {
  return Array.isArray(value) ? value : undefined
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
