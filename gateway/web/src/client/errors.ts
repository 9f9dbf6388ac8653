/** What can go wrong. What people are told to do about it is in `display/problems.ts` (`waybill/words`). Pure. */

export interface Problem {
  /** Stable: the server's code, or one of ours (`NETWORK`, `NOT_WAYBILL`, `TIMED_OUT`, `ABORTED`, …). */
  readonly code: string
  /** HTTP status; 0 where there was no answer. */
  readonly status: number
  /** What happened to which thing: the server's sentence, where it has one. */
  readonly detail: string
  /** When it may be tried again, where the server or we know. */
  readonly retryAfterSeconds?: number | undefined
  /** The files that are the reason, where some are. */
  readonly fileIds?: readonly number[] | undefined
  readonly requestId?: string | undefined
}

/** Every rejection of the client. Its `message` is the detail. */
export class WaybillError extends Error implements Problem {
  override readonly name = 'WaybillError'
  declare readonly code: string
  declare readonly status: number
  declare readonly detail: string
  declare readonly retryAfterSeconds?: number | undefined
  declare readonly fileIds?: readonly number[] | undefined
  declare readonly requestId?: string | undefined

  constructor(problem: Problem) {
    super(problem.detail)
    Object.assign(this, problem)
  }
}

/** Turn an answer that is no success into an error. `body` is the parsed JSON, or undefined where it was none. */
export function errorOfAnswer(status: number, headers: Headers, body: unknown): WaybillError {
  const { code, detail, file_ids: fileIds } = (body ?? {}) as Readonly<Record<string, unknown>>
  // A 404 of a proxy, or of another server at this address, says nothing about a job.
  const stranger = isBusy(status) ? `HTTP_${status}` : 'NOT_WAYBILL'
  const ownWords = isBusy(status)
    ? `The server is busy (${status}).`
    : 'The address answered with something else than Waybill does, such as a web page.'
  const isProblem = typeof code === 'string'
  return new WaybillError({
    code: isProblem ? code : stranger,
    status,
    detail: isProblem && typeof detail === 'string' ? detail : ownWords,
    retryAfterSeconds: readRetryAfter(headers.get('retry-after')),
    fileIds: Array.isArray(fileIds) ? (fileIds as number[]) : undefined,
    requestId: headers.get('x-request-id') ?? undefined,
  })
}

/** Seconds, or undefined; the form with a date is not taken, for the local clock may be wrong. */
export function readRetryAfter(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined
}

/** There was no answer: no network, a name that does not resolve, a refused or broken connection. */
export function networkError(detail = 'The server could not be reached.'): WaybillError {
  return refusal('NETWORK', detail)
}

/** The server was reached, and did not answer within `waitedMs`. */
export function timeoutError(waitedMs: number): WaybillError {
  return refusal('TIMED_OUT', `The server did not answer within ${Math.round(waitedMs / 1_000)} seconds.`)
}

/** The client itself refuses, or there was no answer. */
export function refusal(code: string, detail: string, status = 0): WaybillError {
  return new WaybillError({ code, status, detail })
}

/** Tell whether the same request may succeed later, without anybody changing anything. */
export function isPassing({ status, code }: Problem): boolean {
  return status === 0 ? code === 'NETWORK' || code === 'TIMED_OUT' : status === 408 || isBusy(status)
}

function isBusy(status: number): boolean {
  return status === 429 || status >= 500
}
