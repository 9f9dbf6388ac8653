/**
 * What the client publishes: jobs, the connection, events, and its own face. Everything here is immutable.
 *
 * Times are milliseconds since 1970 by the server's clock, so compare them with `DownloadClient.serverNowMs()`, never
 * with `Date.now()`: a computer whose clock is three hours off then still says when an archive expires.
 */

import type { WaybillError } from './errors.ts'

/** A file of the catalogue. Digits in a string are taken for the number. */
export type FileId = number | string

/** What was asked for; enough to ask for the same again. */
export interface DownloadRequest {
  readonly fileIds: readonly FileId[]
  readonly archiveName?: string | undefined
  readonly onMissing?: 'fail' | 'skip' | undefined
}

/** How a download is begun. An aborted `signal` withdraws the request as `cancel()` does. */
export interface StartOptions {
  readonly archiveName?: string | undefined
  readonly onMissing?: 'fail' | 'skip' | undefined
  readonly label?: string
  readonly signal?: AbortSignal
}

/** Why a job failed, in the server's words. */
export interface JobFailure {
  readonly code: string
  readonly message: string
  readonly fileIds?: readonly number[] | undefined
}

/** A file that was left out of an archive. */
export interface SkippedFile {
  readonly fileId: number
  readonly name: string | null
  readonly reason: 'unknown' | 'missing' | (string & {})
}

export interface JobCommon {
  /** The server's id; while the job is `submitting` it is `key`. Every function takes either of them. */
  readonly id: string
  /** Stays the same for as long as the row is there, also when a lost job was created again: for lists' keys. */
  readonly key: string
  /** What the caller called it, else the archive's name, else null. */
  readonly label: string | null
  /** What was asked for; null for a job that was only watched. */
  readonly request: DownloadRequest | null
  /** True when this browser or program started it; false when it only watches. */
  readonly isOwn: boolean
  readonly createdAt: number
  /** The newest fact that is in this row. */
  readonly updatedAt: number
  /** Runs that were begun; 0 before the first. */
  readonly attempt: number
  readonly filesDone: number
  readonly filesTotal: number
  readonly bytesDone: number
  /** Null before the files were looked up. */
  readonly bytesTotal: number | null
  /** 0 to 1; null is indeterminate: show movement, no number. Never falls within a job. */
  readonly progress: number | null
  /** The server was asked to cancel it, and the end has not come yet. */
  readonly isCancelling: boolean
  /** True when nothing has been heard of it lately: the values may be old. */
  readonly isStale: boolean
}

/** Sent, or to be sent; not accepted yet. `error` and `retryAt` say why it takes long. */
export interface SubmittingJob extends JobCommon {
  readonly state: 'submitting'
  readonly error?: WaybillError | undefined
  readonly retryAt?: number | undefined
}

export interface QueuedJob extends JobCommon {
  readonly state: 'queued'
  /** How many begin before it, at most. */
  readonly position?: number | undefined
  /** When its run begins, by estimate. */
  readonly startsAt?: number | undefined
  /** To its end, as of `updatedAt`. */
  readonly remainingSeconds?: number | undefined
}

export interface ProcessingJob extends JobCommon {
  readonly state: 'processing'
  /** As of `updatedAt`. */
  readonly remainingSeconds?: number | undefined
  readonly bytesPerSecond?: number | undefined
  readonly phase: 'planning' | 'bundling' | 'finishing'
  readonly currentFile?: string | undefined
  /** When the last byte or file was done, or the run began: for "no progress for 20 seconds". */
  readonly progressedAt: number
}

export interface RetryingJob extends JobCommon {
  readonly state: 'retrying'
  readonly retryAt: number
  readonly error: JobFailure
  readonly maxAttempts?: number | undefined
}

export interface CompletedJob extends JobCommon {
  readonly state: 'completed'
  /** Relative to the server; `fileUrl()` makes an address of it that a browser may open. */
  readonly downloadPath: string
  readonly sizeBytes: number | null
  readonly crc32: string | null
  readonly expiresAt: number
  /** At most the first 20; `skippedCount` has the number. */
  readonly skipped: readonly SkippedFile[]
  readonly skippedCount: number
}

export interface FailedJob extends JobCommon {
  readonly state: 'failed'
  readonly error: JobFailure
  /** Whether `retry()` may help. */
  readonly canRetry: boolean
}

export interface CancelledJob extends JobCommon {
  readonly state: 'cancelled'
  readonly reason: string
}

/** The server does not have it any more: `removed` (410: expired or deleted), or `unknown` (404 and no way to heal it). */
export interface GoneJob extends JobCommon {
  readonly state: 'gone'
  readonly reason: 'removed' | 'unknown'
}

export type Job =
  | SubmittingJob
  | QueuedJob
  | ProcessingJob
  | RetryingJob
  | CompletedJob
  | FailedJob
  | CancelledJob
  | GoneJob
export type JobState = Job['state']
/** A job to which nothing happens by itself any more. */
export type EndedJob = CompletedJob | FailedJob | CancelledJob | GoneJob

/**
 * How the client hears of its jobs.
 *
 * - `idle` no unfinished job; `connecting` the first answer is awaited; `live` a stream tells everything at once
 * - `polling` streams are blocked or fail, it asks every few seconds
 * - `waiting` nothing works, the next try is in `retryInSeconds`; `offline` the same, and the browser says it has no network
 * - `unauthorized` the server refuses who is asking: call `tryNow()` after signing in
 */
export interface Connection {
  readonly mode: 'live' | 'polling' | 'connecting' | 'waiting' | 'offline' | 'unauthorized' | 'idle'
  /** Since when, by `performance.now()`. */
  readonly sinceMs: number
  /** At the moment this was published. */
  readonly retryInSeconds?: number | undefined
  /** `busy` reasons (`drain`, `overload`, `redis`, …), else `mute`, `network`, `html`, `refused`, `timeout`. */
  readonly reason?: string | undefined
}

/** One event of a job's log, as the server sent it (docs/api.md, "The stream"). */
export interface JobEvent {
  /** `<epoch>-<seq>`. */
  readonly id: string
  readonly type: string
  readonly at: string
  readonly [field: string]: unknown
}

/** What React's `useSyncExternalStore` takes. Both functions are stable, and a snapshot keeps its identity until it changes. */
export interface Readable<T> {
  subscribe(listener: () => void): () => void
  getSnapshot(): T
}

/**
 * Who is asking: a whole `Authorization` header, or a ticket for the query, or null for nobody (cookies may do).
 * `expiresAt` is by the local clock (`Date.now()`): a new one is asked for a minute before.
 */
export type Authorization = { readonly header: string } | { readonly ticket: string; readonly expiresAt: number } | null

export interface ClientOptions {
  /** Where the gateway is: an address, or a path on this origin. Default: this origin. */
  readonly baseUrl?: string
  /** Account or tenant. Jobs and events are shared by the tabs of one browser only within one scope. */
  readonly scope?: string
  /** `jobIds` are what a ticket must open: at most 50, also of jobs that it has opened before. */
  readonly authorize?: (jobIds: readonly string[]) => Promise<Authorization>
  /** As of `fetch`; `include` for cookies on another origin. */
  readonly credentials?: RequestCredentials
  /** `shareTabs` of `waybill/tabs`: watch through one stream for all tabs of this browser. Default: each for itself. */
  readonly shareTabs?: import('./sharing.ts').ShareTabs | false
  /** Remember own jobs over reloads. Default: where there is a `localStorage`. */
  readonly remember?: boolean
  /** Deviations from limits.ts. */
  readonly limits?: Partial<import('./limits.ts').Limits>
  /** Clock, network and browser; for tests. */
  readonly world?: Partial<import('./world.ts').World>
}

/** An address that opens an archive to whoever has it. `expiresAt`: when its ticket does; null where it has none. */
export interface FileLink {
  readonly url: string
  readonly expiresAt: number | null
}

/** The client. Nothing happens before the first subscription or call; every rejection is a `WaybillError`. */
export interface DownloadClientFace {
  /** Own and watched jobs, newest first. */
  readonly jobs: Readable<readonly Job[]>
  readonly connection: Readable<Connection>
  /** One job by id or key; the same object for the same text. */
  job(id: string): Readable<Job | undefined>
  /** A job's log from its beginning (its last 1,000 events), oldest first; read and gone on with only while somebody is subscribed. */
  events(id: string): Readable<readonly JobEvent[]>

  /**
   * Ask for a bundle. The row is there at once, as `submitting`; resolves when the server has accepted the job.
   * While the server is away or busy it goes on asking, with one Idempotency-Key, also after a reload.
   * Rejects when the request is refused (the row goes), cancelled or aborted.
   */
  startDownload(fileIds: readonly FileId[], options?: StartOptions): Promise<Job>
  /** Resolves with the job as it then stands; a running one ends within seconds. Of a `submitting` one the request is withdrawn. */
  cancel(id: string): Promise<Job>
  /** Run a failed job again, under its id. */
  retry(id: string): Promise<Job>
  /** Take the row away, and forget it; the job itself goes on. */
  dismiss(id: string): void
  /** Follow a job that somebody else started. Give back what was returned to stop. */
  watch(id: string): () => void
  /** Resolves when the job has ended. */
  ended(id: string): Promise<EndedJob>

  /** An address of a completed job's archive that needs no header; with `authorize` it has a fresh ticket. */
  fileUrl(id: string): Promise<string>
  /** The same address, and until when it works. */
  fileLink(id: string): Promise<FileLink>
  /** Let the browser save a completed job's archive, under the name that the server gives it. */
  save(id: string): Promise<void>

  /** Try the server at once: a person pressed a button, or has signed in. */
  tryNow(): void
  /** Now, by the server's clock, in milliseconds since 1970. */
  serverNowMs(): number
  /** Stop everything. Unfinished jobs stay remembered. */
  close(): void
}
