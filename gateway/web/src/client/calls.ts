/** Calls of the API: one request, its bound in time, who is asking, and errors as sentences. It repeats nothing but a 401. */

import type { Credentials } from './credentials.ts'
import { errorOfAnswer, networkError, refusal, WaybillError } from './errors.ts'
import type { Message } from './job.ts'
import type { Limits } from './limits.ts'
import type { Rows } from './rows.ts'
import type { ServerClock } from './server_clock.ts'
import type { Authorization } from './types.ts'
import type { World } from './world.ts'

export const JOBS = '/v1/download/jobs'

export function jobPath(id: string, call = ''): string {
  return `${JOBS}/${encodeURIComponent(id)}${call}`
}

/** The part of a query that names jobs. */
export function jobQuery(ids: readonly string[]): string {
  return new URLSearchParams(ids.map((id) => ['job', id])).toString()
}

export interface Answer {
  readonly headers: Headers
  /** Undefined where nothing has changed (304). */
  readonly body: Message | undefined
}

export interface CallOptions {
  readonly method?: 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Jobs that it reads: a ticket must open them. */
  readonly jobIds?: readonly string[]
  /** Whoever has it may end the call; it is aborted, too, when the time of the call is over. */
  readonly stop?: AbortController
}

/** What every part of the client is given. */
export interface Parts {
  readonly calls: Calls
  readonly world: World
  readonly limits: Limits
  readonly clock: ServerClock
  readonly rows: Rows
}

export class Calls {
  readonly credentials: Credentials
  readonly #base: string
  readonly #fetchCredentials: RequestCredentials | undefined
  readonly #parts: Pick<Parts, 'world' | 'limits' | 'clock'>

  constructor(base: string, fetchCredentials: RequestCredentials | undefined, credentials: Credentials, parts: Pick<Parts, 'world' | 'limits' | 'clock'>) {
    this.#base = base
    this.#fetchCredentials = fetchCredentials
    this.credentials = credentials
    this.#parts = parts
  }

  /** Give the answer of any 2xx, and of 304; throws WaybillError for everything else. */
  async call(path: string, options: CallOptions = {}): Promise<Answer> {
    const stop = options.stop ?? new AbortController()
    const { world, limits } = this.#parts
    const forget = world.after(limits.callMs, () => stop.abort(refusal('TIMED_OUT', 'The server did not answer in time.')))
    try {
      const response = await this.open(path, options, stop.signal)
      const body = parse(await response.text())
      // A proxy's page may come with 200, too.
      if (response.status !== 304 && !(response.ok && body)) throw errorOfAnswer(response, body)
      return { headers: response.headers, body }
    } catch (error) {
      throw [error, stop.signal.reason].find((reason) => reason instanceof WaybillError) ?? networkError()
    } finally {
      forget()
    }
  }

  /** Send a request; gives any answer but a 401 that another authorization mends. Rejects as `fetch` does. */
  async open(path: string, options: CallOptions, signal: AbortSignal): Promise<Response> {
    const { credentials } = this
    for (;;) {
      if (credentials.isHopeless) throw refusal('UNAUTHENTICATED', 'The server does not take who is asking any more.', 401)
      const used = await credentials.current(options.jobIds ?? [])
      const response = await this.#send(path, options, used, signal)
      this.#parts.clock.heardDate(Date.parse(response.headers.get('date') ?? ''))
      if (response.ok) credentials.accepted()
      if (response.status !== 401) return response
      credentials.refused(used)
      if (credentials.isHopeless) return response
      await response.body?.cancel()
    }
  }

  /** The absolute address of a path, with the ticket that it needs, if any. */
  address(path: string, authorization: Authorization): string {
    if (!authorization || !('ticket' in authorization)) return this.#base + path
    // As it was given: the server takes no other spelling of it.
    return `${this.#base}${path}${path.includes('?') ? '&' : '?'}ticket=${authorization.ticket}`
  }

  #send(path: string, { method, headers, body }: CallOptions, used: Authorization, signal: AbortSignal): Promise<Response> {
    return this.#parts.world.fetch(this.address(path, used), {
      method: method ?? 'GET',
      headers: {
        accept: 'application/json',
        ...headers,
        ...(used && 'header' in used && { authorization: used.header }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      signal,
      cache: 'no-store',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(this.#fetchCredentials && { credentials: this.#fetchCredentials }),
    })
  }
}

/** The object that a text is in JSON; undefined where it is none. */
export function parse(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Message) : undefined
  } catch {
    return undefined
  }
}
