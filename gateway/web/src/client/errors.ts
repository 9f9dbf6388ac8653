/** What can go wrong, in sentences. Pure. */

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

/** The members of an RFC 9457 problem that we read. */
interface ProblemBody {
  readonly code?: unknown
  readonly title?: unknown
  readonly detail?: unknown
  readonly file_ids?: unknown
}

/** What the reader can do, by code, where the status alone does not say it. */
const ACTIONS: Readonly<Record<string, string>> = {
  UNKNOWN_FILES: 'Take these files out, or let missing files be skipped.',
  FILES_FORBIDDEN: 'Take these files out; they belong to somebody else.',
  BODY_TOO_LARGE: 'Split the request into several.',
  IDEMPOTENCY_KEY_REUSED: 'Start it as a new download.',
  NOT_FOUND: 'Start it again if you still need it.',
  TICKETS_NOT_OFFERED: 'Tell the operators: links need tickets, and none are set up.',
  NOT_READY: 'Wait until it is completed.',
}

const SENTENCES: Readonly<Record<number, readonly [title: string, action: string]>> = {
  401: ['Not signed in', 'Sign in again; your downloads go on.'],
  403: ['Not allowed', 'Ask for access, or sign in with another account.'],
  404: ['Unknown', 'Check the address.'],
  409: ['Not in this state', 'Look at the state of the download.'],
  410: ['Removed', 'Start it again; it can be made anew.'],
  422: ['Not accepted', 'Change the request.'],
  429: ['Too many requests', 'Wait a little; it is tried again by itself where it can be.'],
}
const OTHERS: Readonly<Record<number, readonly [title: string, action: string]>> = {
  4: ['Refused', 'Change the request.'],
  5: ['The server is busy', 'Your request is kept; try again in a moment.'],
}

/** Turn an answer that is no success into an error. `body` is the parsed JSON, or undefined where it was none. */
export function errorOfAnswer(status: number, headers: Headers, body: unknown): WaybillError {
  const problem = (typeof body === 'object' && body !== null ? body : undefined) as ProblemBody | undefined
  const retryAfterSeconds = readRetryAfter(headers.get('retry-after'))
  const extras = {
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(Array.isArray(problem?.file_ids) ? { fileIds: problem.file_ids as number[] } : {}),
    ...requestId(headers),
  }
  // A 404 of a proxy, or of another server at this address, says nothing about a job.
  if (typeof problem?.code !== 'string') return notWaybill(status, extras)
  const [title, action] = SENTENCES[status] ?? OTHERS[status >= 500 ? 5 : 4]!
  const detail = typeof problem.detail === 'string' ? problem.detail : title
  return new WaybillError({ code: problem.code, status, title, detail, action: ACTIONS[problem.code] ?? action, ...extras })
}

function notWaybill(status: number, extras: Partial<Problem>): WaybillError {
  if (status === 429 || status >= 500) {
    const [title, action] = SENTENCES[status] ?? OTHERS[5]!
    return new WaybillError({ code: `HTTP_${status}`, status, title, detail: `${title} (${status}).`, action, ...extras })
  }
  return new WaybillError({
    code: 'NOT_WAYBILL',
    status,
    title: 'Another server answered',
    detail: 'The address answered with something else than Waybill does, such as a web page.',
    action: 'Check the address, and whether you have to sign in to this network.',
    ...extras,
  })
}

/** Seconds, or undefined; the form with a date is not taken, for the local clock may be wrong. */
export function readRetryAfter(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined
}

function requestId(headers: Headers): Partial<Problem> {
  const id = headers.get('x-request-id')
  return id === null ? {} : { requestId: id }
}

/** There was no answer: no network, a name that does not resolve, a refused or broken connection. */
export function networkError(): WaybillError {
  return new WaybillError({
    code: 'NETWORK',
    status: 0,
    title: 'Not reachable',
    detail: 'The server could not be reached.',
    action: 'Check your connection; your downloads go on without you.',
  })
}

/** The server was reached, and did not answer within `waitedMs`. */
export function timeoutError(waitedMs: number): WaybillError {
  return new WaybillError({
    code: 'TIMED_OUT',
    status: 0,
    title: 'No answer',
    detail: `The server did not answer within ${Math.round(waitedMs / 1_000)} seconds.`,
    action: 'It is tried again by itself where it can be.',
  })
}

/** The client itself refuses, before anything was sent. */
export function refusal(code: string, title: string, detail: string, action: string): WaybillError {
  return new WaybillError({ code, status: 0, title, detail, action })
}

/** Tell whether the same request may succeed later, without anybody changing anything. */
export function isPassing({ status, code }: Problem): boolean {
  return status === 0 ? code === 'NETWORK' || code === 'TIMED_OUT' : status === 408 || status === 429 || status >= 500
}
