/** What can go wrong, in sentences. */

export interface Problem {
  /** Stable: the server's code, or one of ours (`NETWORK`, `NOT_WAYBILL`, `TIMED_OUT`, `ABORTED`, …). */
  readonly code: string
  /** HTTP status; 0 where there was no answer. */
  readonly status: number
  /** What happened, in a few words. */
  readonly title: string
  /** What happened to which thing: the server's sentence, where it has one. */
  readonly detail: string
  /** What the reader can do; one sentence. */
  readonly action: string
  /** When it may be tried again, where the server or we know. */
  readonly retryAfterSeconds?: number
  /** The files that are the reason, where some are. */
  readonly fileIds?: readonly number[]
  readonly requestId?: string
}

/** Every rejection of the client. Its `message` is the detail. */
export class WaybillError extends Error implements Problem {
  override readonly name = 'WaybillError'
  readonly code: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly action: string
  declare readonly retryAfterSeconds?: number
  declare readonly fileIds?: readonly number[]
  declare readonly requestId?: string

  constructor(problem: Problem) {
    super(problem.detail)
    this.code = problem.code
    this.status = problem.status
    this.title = problem.title
    this.detail = problem.detail
    this.action = problem.action
    if (problem.retryAfterSeconds !== undefined) this.retryAfterSeconds = problem.retryAfterSeconds
    if (problem.fileIds !== undefined) this.fileIds = problem.fileIds
    if (problem.requestId !== undefined) this.requestId = problem.requestId
  }
}
