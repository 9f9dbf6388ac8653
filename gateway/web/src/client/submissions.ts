/** Requests for bundles, from the click to the server's answer: asked again with one key for as long as it may help. */

import { backoffMs } from './backoff.ts'
import { abortError, type Calls, JOBS } from './calls.ts'
import { isPassing, refusal, WaybillError } from './errors.ts'
import type { Limits } from './limits.ts'
import type { DownloadRequest, FileId } from './types.ts'
import type { World } from './world.ts'

/** Read ids as people type them; throws WaybillError that names the one that is wrong. */
export function readFileIds(fileIds: readonly FileId[]): number[] {
  return fileIds.map((fileId, place) => {
    const number = typeof fileId === 'string' && /^\s*\d+\s*$/.test(fileId) ? Number(fileId) : fileId
    if (typeof number === 'number' && Number.isSafeInteger(number)) return number
    throw refusal('INVALID_FILE_ID', `“${String(fileId).slice(0, 40)}” at place ${place + 1} is not the id of a file: ids are whole numbers.`)
  })
}

/** One request until it is answered. */
export class Submission {
  readonly #parts: { calls: Calls; world: World; limits: Limits }
  readonly #key: string
  readonly #request: DownloadRequest
  readonly #stop = new AbortController()
  #wake = () => {}
  #wasSent = false

  constructor(parts: { calls: Calls; world: World; limits: Limits }, key: string, request: DownloadRequest) {
    this.#parts = parts
    this.#key = key
    this.#request = request
  }

  /** Give the job's id; throws what will not pass by itself. `onTrouble` hears of what will, and when it is tried again. */
  async run(onTrouble: (error: WaybillError, retryInMs: number) => void): Promise<string> {
    const { world, limits } = this.#parts
    for (let failures = 0; ; failures += 1) {
      try {
        return await this.#post(this.#stop.signal)
      } catch (error) {
        if (this.#stop.signal.aborted || !isPassing(error as WaybillError)) throw error
        const delayMs = backoffMs(failures, world.random(), limits, ((error as WaybillError).retryAfterSeconds ?? 0) * 1_000)
        onTrouble(error as WaybillError, delayMs)
        await this.#sleep(delayMs)
        if (this.#stop.signal.aborted) throw abortError()
      }
    }
  }

  /** Try at once. */
  nudge(): void {
    this.#wake()
  }

  /** Stop asking; `run()` then rejects. The server may have accepted it all the same. */
  abandon(): void {
    this.#stop.abort()
    this.#wake()
  }

  /** Stop asking, and cancel the job of a request that may have been accepted although nobody heard the answer. */
  async withdraw(): Promise<void> {
    this.abandon()
    if (!this.#wasSent) return
    try {
      const id = await this.#post(undefined)
      await this.#parts.calls.call(`${JOBS}/${encodeURIComponent(id)}/cancel`, { method: 'POST' })
    } catch {
      // The server is away: if there is a job, it makes an archive that nobody fetches.
    }
  }

  async #post(signal: AbortSignal | undefined): Promise<string> {
    const { fileIds, archiveName, onMissing } = this.#request
    this.#wasSent = true
    const { body } = await this.#parts.calls.call(JOBS, {
      method: 'POST',
      headers: { 'idempotency-key': `"${this.#key}"` },
      body: { file_ids: fileIds, archive_name: archiveName, on_missing: onMissing },
      signal,
    })
    const id = body?.['job_id']
    if (typeof id === 'string') return id
    throw refusal('NOT_WAYBILL', 'The answer to the request names no job.')
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const forget = this.#parts.world.after(delayMs, resolve)
      this.#wake = () => {
        forget()
        resolve()
      }
    })
  }
}
