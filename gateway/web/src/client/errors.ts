/** What can go wrong. What people are told to do about it is in `display/problems.ts` (`waybill/words`). Pure. */

import type { Message } from './job.ts'

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
export function errorOfAnswer({ status, headers }: Response, body: Message | undefined): WaybillError {
  return new WaybillError({
    ...wordsOf(status, body),
    status,
    retryAfterSeconds: retryAfterSeconds(headers),
    fileIds: body?.['file_ids'] as number[] | undefined,
    requestId: headers.get('x-request-id') ?? undefined,
  })
}

function wordsOf(status: number, body: Message | undefined): Pick<Problem, 'code' | 'detail'> {
  const { code, detail } = body ?? {}
  if (typeof code === 'string') return { code, detail: String(detail) }
  if (isBusy(status)) return { code: `HTTP_${status}`, detail: `The server is busy (${status}).` }
  // A 404 of a proxy, or of another server at this address, says nothing about a job.
  return { code: 'NOT_WAYBILL', detail: 'The address answered with something else than Waybill does, such as a web page.' }
}

/** Undefined where it is not said; the form with a date is not taken, for the local clock may be wrong. */
export function retryAfterSeconds(headers: Headers): number | undefined {
  const header = headers.get('retry-after') ?? ''
  return /^\d{1,6}$/.test(header) ? Number(header) : undefined
}

/** There was no answer: no network, a name that does not resolve, a refused or broken connection. */
export function networkError(detail = 'The server could not be reached.'): WaybillError {
  return refusal('NETWORK', detail)
}

/** The client itself refuses, or there was no answer. */
export function refusal(code: string, detail: string, status = 0): WaybillError {
  return new WaybillError({ code, status, detail })
}

/** Tell whether the same request may succeed later, without anybody changing anything. */
export function isPassing({ status, code }: Problem): boolean {
  return code === 'NETWORK' || code === 'TIMED_OUT' || status === 408 || isBusy(status)
}

export function isBusy(status: number): boolean {
  return status === 429 || status >= 500
}

/** In one word, why the connection does not work (`Connection.reason`). */
export function reasonOf({ code, status }: Pick<Problem, 'code' | 'status'>): string {
  if (isBusy(status)) return 'overload'
  return ({ NETWORK: 'network', TIMED_OUT: 'timeout', NOT_WAYBILL: 'html' } as Readonly<Record<string, string>>)[code] ?? 'refused'
}
