/**
 * A client in whose list a job of each state stands still, so that all of them can be looked at, and judged, at once.
 *
 * The gallery is the page, built with this in the client's place. `?connection=polling` chooses the connection's mode,
 * `?jobs=none` an empty list.
 */

import type {
  Connection,
  DownloadClientFace,
  EndedJob,
  Job,
  JobCommon,
  JobEvent,
  JobState,
  Readable,
} from '../../src/client/types.ts'

export { WaybillError } from '../../src/client/errors.ts'

const NOW_MS = Date.parse('2026-11-23T10:30:00Z')
const MB = 1_000_000

function common(state: JobState, at: number, more: Partial<JobCommon> = {}): JobCommon {
  const key = `${state}-${at}`
  return {
    id: `0193a5b2-7c4e-8000-9d3f-${String(at).padStart(12, '0')}`,
    key,
    label: 'Harbour survey, November',
    request: { fileIds: [70000, 70012, 70003], archiveName: 'survey' },
    isOwn: true,
    createdAt: NOW_MS - 60_000,
    updatedAt: NOW_MS,
    attempt: 1,
    filesDone: 3,
    filesTotal: 12,
    bytesDone: 412 * MB,
    bytesTotal: 1_200 * MB,
    progress: 0.34,
    isCancelling: false,
    isStale: new URLSearchParams(location.search).has('stale'),
    ...more,
  }
}

const LONG_NAME = 'satellite_pass_2026-11-23_with_a_name_that_does_not_end_before_the_line_does.raw'

const JOBS: readonly Job[] = [
  { ...common('submitting', 1, { progress: null, filesDone: 0, bytesDone: 0, bytesTotal: null }), state: 'submitting' },
  { ...common('queued', 2, { progress: 0 }), state: 'queued', position: 3, startsAt: NOW_MS + 20_000, remainingSeconds: 95 },
  {
    ...common('processing', 3, { label: LONG_NAME }),
    state: 'processing',
    remainingSeconds: 41,
    phase: 'bundling',
    currentFile: 'Lagerplan Köln.dat',
    bytesPerSecond: 19.2 * MB,
    progressedAt: NOW_MS,
  },
  {
    ...common('processing', 4, { progress: null, bytesTotal: null, attempt: 2 }),
    state: 'processing',
    phase: 'planning',
    progressedAt: NOW_MS,
  },
  {
    ...common('processing', 5, { isCancelling: true }),
    state: 'processing',
    phase: 'bundling',
    progressedAt: NOW_MS,
  },
  {
    ...common('retrying', 6),
    state: 'retrying',
    retryAt: NOW_MS + 12_000,
    maxAttempts: 3,
    error: { code: 'SOURCE_CHANGED', message: 'The file 70012 changed while it was read.' },
  },
  {
    ...common('completed', 7, { filesDone: 12, bytesDone: 1_200 * MB, progress: 1 }),
    state: 'completed',
    downloadPath: '/v1/download/jobs/7/file',
    sizeBytes: 1_200 * MB,
    crc32: '9ac1f2e0',
    expiresAt: NOW_MS + 86_400_000,
    skipped: [],
    skippedCount: 0,
  },
  {
    ...common('completed', 8, { label: null, request: null, progress: 1 }),
    state: 'completed',
    downloadPath: '/v1/download/jobs/8/file',
    sizeBytes: 1_000 * MB,
    crc32: null,
    expiresAt: NOW_MS + 86_400_000,
    skipped: [
      { fileId: 70012, name: 'tides 1998–2026.csv', reason: 'missing' },
      { fileId: 1, name: null, reason: 'unknown' },
    ],
    skippedCount: 2,
  },
  {
    ...common('failed', 9),
    state: 'failed',
    canRetry: true,
    error: { code: 'STORE_UNAVAILABLE', message: 'The object store did not answer' },
  },
  {
    ...common('failed', 10),
    state: 'failed',
    canRetry: false,
    error: { code: 'SOURCE_MISSING', message: 'The file 70012 does not exist.', fileIds: [70012] },
  },
  { ...common('cancelled', 11), state: 'cancelled', reason: 'The job was cancelled by its caller.' },
  { ...common('gone', 12), state: 'gone', reason: 'removed' },
]

const EVENTS: readonly JobEvent[] = [
  { id: '0-1', type: 'queued', at: '2026-11-23T10:29:00Z', queue_position: 0, estimated_duration: '60-120s' },
  { id: '1-2', type: 'started', at: '2026-11-23T10:29:01Z', attempt: 1 },
  { id: '1-3', type: 'progress', at: '2026-11-23T10:29:02Z', progress: 0.34, files_processed: 3, total_files: 12 },
]

function still<T>(value: T): Readable<T> {
  return { subscribe: () => () => undefined, getSnapshot: () => value }
}

export class DownloadClient implements DownloadClientFace {
  readonly #query = new URLSearchParams(location.search)
  readonly #jobs = this.#query.get('jobs') === 'none' ? [] : JOBS
  readonly #byId = new Map(this.#jobs.map((job) => [job.id, still<Job | undefined>(job)]))
  readonly #events = still(EVENTS)
  readonly jobs = still(this.#jobs)
  readonly connection = still<Connection>({
    mode: (this.#query.get('connection') ?? 'live') as Connection['mode'],
    sinceMs: -10_000,
    retryInSeconds: 15,
  })

  readonly job = (id: string) => this.#byId.get(id) ?? still<Job | undefined>(undefined)
  readonly events = () => this.#events
  readonly startDownload = () => new Promise<Job>(() => undefined)
  readonly cancel = () => new Promise<Job>(() => undefined)
  readonly retry = () => new Promise<Job>(() => undefined)
  readonly dismiss = () => undefined
  readonly watch = () => () => undefined
  readonly ended = () => new Promise<EndedJob>(() => undefined)
  readonly fileUrl = () => Promise.resolve('/file')
  readonly fileLink = () => Promise.resolve({ url: '/file', expiresAt: NOW_MS + 900_000 })
  readonly save = () => Promise.resolve()
  readonly tryNow = () => undefined
  readonly serverNowMs = () => NOW_MS
  readonly close = () => undefined
}
