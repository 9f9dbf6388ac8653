/** A real HTTP server on loopback that answers as a test says, and notes what it was asked. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}

/** `nth` counts the requests with this method and path, from 1. */
export type Answerer = (response: ServerResponse, asked: Asked, nth: number) => void

export class ScriptedServer {
  readonly asked: Asked[] = []
  readonly #answerers = new Map<string, Answerer>()
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  readonly #waiting = new Set<() => void>()

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Answer `GET /path` from now on; what nobody answers is an RFC 9457 404. */
  on(call: string, answerer: Answerer): this {
    this.#answerers.set(call, answerer)
    return this
  }

  count(call: string): number {
    return this.asked.filter(({ method, path }) => `${method} ${path}` === call).length
  }

  /** Wait for the nth request of this kind; its place is among `asked`. */
  async until(call: string, nth = 1): Promise<Asked> {
    while (this.count(call) < nth) await new Promise<void>((resolve) => this.#waiting.add(resolve))
    return this.asked.filter(({ method, path }) => `${method} ${path}` === call)[nth - 1]!
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(request.url!, this.url)
    let text = ''
    for await (const piece of request) text += String(piece)
    const method = request.method!
    const asked = { method, path, query, headers: request.headers, body: text ? (JSON.parse(text) as unknown) : undefined }
    this.asked.push(asked)
    const call = `${method} ${path}`
    const answerer = this.#answerers.get(call) ?? problem(404, 'NOT_FOUND')
    answerer(response, asked, this.count(call))
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answerer {
  return (response) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export function problem(status: number, code: string, headers: Record<string, string> = {}): Answerer {
  const body = { title: code, status, code, detail: `The sentence of ${code}.` }
  return (response) => response.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify(body))
}

export const html: Answerer = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in to this network</h1>')

/** Begin a stream; the head goes out at once. */
export function openStream(response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.flushHeaders()
  return response
}

/** A frame as the gateway writes it. */
export function frame(message: object, id?: string): string {
  return `data: ${JSON.stringify(message)}\n${id === undefined ? '' : `id: ${id}\n`}\n`
}

export function heartbeat(at = new Date().toISOString()): string {
  return `event: heartbeat\ndata: ${JSON.stringify({ type: 'heartbeat', at })}\n\n`
}
