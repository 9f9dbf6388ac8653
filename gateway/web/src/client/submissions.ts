/** Requests for bundles, from the click to the server's answer: asked again with one key for as long as it may help. */

import { Alarm } from './alarm.ts'
import { backoffMs } from './backoff.ts'
import { jobPath, JOBS, type Parts } from './calls.ts'
import { isPassing, refusal, type WaybillError } from './errors.ts'
import type { DownloadRequest, FileId } from './types.ts'

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
  readonly #parts: Parts
  readonly #key: string
  readonly #request: DownloadRequest
  readonly #pause: Alarm
  #flight: AbortController | undefined
  #wake = () => {}
  #isAbandoned = false

  constructor(parts: Parts, key: string, request: DownloadRequest) {
    this.#parts = parts
    this.#key = key
    this.#request = request
    this.#pause = new Alarm(parts.world)
  }

  /** Give the job's id; throws what will not pass by itself. `onTrouble` hears of what will, and when it is tried again. */
  async run(onTrouble: (error: WaybillError, retryInMs: number) => void): Promise<string> {
    const { world, limits } = this.#parts
    for (let failures = 0; ; failures += 1) {
      try {
        return await this.#post((this.#flight = new AbortController()))
      } catch (reason) {
        const error = reason as WaybillError
        if (this.#isAbandoned || !isPassing(error)) throw error
        const delayMs = backoffMs(failures, world.random(), limits, (error.retryAfterSeconds ?? 0) * 1_000)
        onTrouble(error, delayMs)
        await new Promise<void>((resolve) => this.#pause.set(delayMs, (this.#wake = resolve)))
        if (this.#isAbandoned) throw abortError()
      }
    }
  }

  /** Try at once. */
  nudge(): void {
    this.#pause.clear()
    this.#wake()
  }

  /** Stop asking; `run()` then rejects. The server may have accepted it all the same. */
  abandon(): void {
    this.#isAbandoned = true
    this.#flight?.abort(abortError())
    this.nudge()
  }

  /** Stop asking, and cancel the job of a request that may have been accepted although nobody heard the answer. */
  async withdraw(): Promise<void> {
    this.abandon()
    try {
      await this.#parts.calls.call(jobPath(await this.#post(), '/cancel'), { method: 'POST' })
    } catch {
      // The server is away: if there is a job, it makes an archive that nobody fetches.
    }
  }

  async #post(stop?: AbortController): Promise<string> {
    const { fileIds, archiveName, onMissing } = this.#request
    const { body } = await this.#parts.calls.call(JOBS, {
      method: 'POST',
      headers: { 'idempotency-key': `"${this.#key}"` },
      body: { file_ids: fileIds, archive_name: archiveName, on_missing: onMissing },
      ...(stop && { stop }),
    })
    const id = body?.['job_id']
    if (typeof id === 'string') return id
    throw refusal('NOT_WAYBILL', 'The answer to the request names no job.')
  }
}

export function abortError(): WaybillError {
  return refusal('ABORTED', 'The request was withdrawn.')
}
