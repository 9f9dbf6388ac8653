/** Calls of the API: one request, its bound in time, who is asking, and errors as sentences. It repeats nothing but a 401. */

import type { Credentials } from './credentials.ts'
import { errorOfAnswer, networkError, refusal, timeoutError, WaybillError } from './errors.ts'
import type { Message } from './job.ts'
import type { Limits } from './limits.ts'
import type { ServerClock } from './server_clock.ts'
import type { Authorization } from './types.ts'
import type { World } from './world.ts'

export const JOBS = '/v1/download/jobs'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Undefined where there is none. */
  readonly body: Message | undefined
}

export interface CallOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Jobs that it reads: a ticket must open them. */
  readonly jobIds?: readonly string[]
  readonly signal?: AbortSignal | undefined
}

export class Calls {
  readonly credentials: Credentials
  readonly #base: string
  readonly #fetchCredentials: RequestCredentials | undefined
  readonly #world: World
  readonly #limits: Limits
  readonly #clock: ServerClock

  constructor(
    place: { readonly base: string; readonly credentials: RequestCredentials | undefined },
    credentials: Credentials,
    { world, limits, clock }: { world: World; limits: Limits; clock: ServerClock },
  ) {
    this.#base = place.base
    this.#fetchCredentials = place.credentials
    this.credentials = credentials
    this.#world = world
    this.#limits = limits
    this.#clock = clock
  }

  /** Give the answer of any 2xx, and of 304; throws WaybillError for everything else. */
  async call(path: string, options: CallOptions = {}): Promise<Answer> {
    const stop = new AbortController()
    const forget = this.#world.after(this.#limits.callMs, () => stop.abort(timeoutError(this.#limits.callMs)))
    const abort = () => stop.abort(abortError())
    options.signal?.addEventListener('abort', abort)
    if (options.signal?.aborted) abort()
    try {
      const response = await this.open(path, options, stop.signal)
      const body = await readBody(response)
      if (!response.ok && response.status !== 304) throw errorOfAnswer(response.status, response.headers, body)
      // A page of a proxy that answers 200 to everything.
      if (response.status === 200 && !isObject(body)) throw errorOfAnswer(200, response.headers, undefined)
      return { status: response.status, headers: response.headers, body: isObject(body) ? body : undefined }
    } catch (error) {
      throw asWaybillError(error, stop.signal)
    } finally {
      forget()
      options.signal?.removeEventListener('abort', abort)
    }
  }

  /** Send a request; gives any answer but a 401 that another authorization mends. Rejects as `fetch` does. */
  async open(path: string, options: CallOptions, signal: AbortSignal): Promise<Response> {
    for (;;) {
      if (this.credentials.isHopeless) throw refusal('UNAUTHENTICATED', 'The server does not take who is asking any more.', 401)
      const used = await this.#authorization(options.jobIds ?? [])
      const response = await this.#send(path, options, used, signal)
      this.#clock.heardDate(Date.parse(response.headers.get('date') ?? ''))
      if (response.status !== 401) {
        if (response.ok) this.credentials.accepted()
        return response
      }
      this.credentials.refused(used)
      if (this.credentials.isHopeless) return response
      await response.body?.cancel()
    }
  }

  /** The absolute address of a path, with the ticket that it needs, if any. */
  address(path: string, authorization: Authorization): string {
    const ticket = authorization && 'ticket' in authorization ? authorization.ticket : null
    if (ticket === null) return this.#base + path
    // As it was given: the server takes no other spelling of it.
    return `${this.#base}${path}${path.includes('?') ? '&' : '?'}ticket=${ticket}`
  }

  #send(path: string, options: CallOptions, used: Authorization, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json', ...options.headers }
    if (used && 'header' in used) headers['authorization'] = used.header
    if (options.body !== undefined) headers['content-type'] = 'application/json'
    return this.#world.fetch(this.address(path, used), {
      method: options.method ?? 'GET',
      headers,
      signal,
      cache: 'no-store',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(this.#fetchCredentials ? { credentials: this.#fetchCredentials } : {}),
    })
  }

  async #authorization(jobIds: readonly string[]): Promise<Authorization> {
    try {
      return await this.credentials.current(jobIds)
    } catch (error) {
      // What cannot be asked now may be asked later, as with the network.
      throw networkError(`It could not be asked who you are: ${String(error)}`)
    }
  }
}

export function abortError(): WaybillError {
  return refusal('ABORTED', 'The request was withdrawn.')
}

/** Whatever fetch or the reading of an answer threw. */
export function asWaybillError(error: unknown, signal: AbortSignal): WaybillError {
  if (error instanceof WaybillError) return error
  return signal.reason instanceof WaybillError ? signal.reason : networkError()
}

/** The parsed body; undefined where there is none, or it is no JSON. */
async function readBody(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return text ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
