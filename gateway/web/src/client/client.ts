/** The client: rows of jobs, begun here or watched, and everything that a person may want of them. */

import { Calls, jobPath, type Parts } from './calls.ts'
import { Credentials } from './credentials.ts'
import { refusal, type WaybillError } from './errors.ts'
import { Following } from './following.ts'
import { Histories } from './histories.ts'
import { isEnded, type Message, newJob, told, unknownJob } from './job.ts'
import { LIMITS } from './limits.ts'
import { Memory, type Remembered } from './memory.ts'
import { type Row, Rows } from './rows.ts'
import { ServerClock } from './server_clock.ts'
import { abortError, readFileIds, Submission } from './submissions.ts'
import type {
  ClientOptions,
  Connection,
  DownloadClientFace,
  DownloadRequest,
  EndedJob,
  FileId,
  FileLink,
  Job,
  JobEvent,
  Readable,
  StartOptions,
} from './types.ts'
import { type PageEvent, realWorld } from './world.ts'

export class DownloadClient implements DownloadClientFace {
  readonly jobs: Readable<readonly Job[]>
  readonly connection: Readable<Connection>
  readonly #parts: Parts
  readonly #rows: Rows
  readonly #histories: Histories
  readonly #memory: Memory
  readonly #following: Following
  readonly #submissions = new Map<string, Submission>()
  #recent: { readonly wish: string; readonly key: string; readonly atMs: number; readonly job: Promise<Job> } | null = null
  #isStarted = false
  #isClosed = false
  #stopListening = () => {}

  constructor(options: ClientOptions = {}) {
    const world = { ...realWorld(), ...options.world }
    const limits = { ...LIMITS, ...options.limits }
    const clock = new ServerClock(world, limits)
    const base = (options.baseUrl ?? '').replace(/\/+$/, '')
    const name = `waybill:${base}:${options.scope ?? ''}`
    const onObserved = (isObserved: boolean) => isObserved && this.#start()
    const rows = (this.#rows = new Rows(world, limits, onObserved))
    const calls = new Calls(base, options.credentials, new Credentials(options.authorize, world, limits), { world, limits, clock })
    const parts = (this.#parts = { calls, world, limits, clock, rows })
    const histories = (this.#histories = new Histories(parts, onObserved))
    this.#memory = new Memory(options.remember === false ? null : world.storage, name, limits)
    const listener = { onLost: (row: Row) => this.#heal(row), onList: (forgotten: string | null) => this.#readList(forgotten) }
    // Outside of browsers there are no tabs, and an open channel would keep a program from ending.
    const sharing = options.shareTabs && world.page ? { name, by: options.shareTabs } : null
    this.#following = new Following({ ...parts, histories }, sharing, listener, onObserved)
    this.jobs = rows.jobs
    this.connection = this.#following.connection
  }

  job(id: string): Readable<Job | undefined> {
    return this.#rows.single(id)
  }

  events(id: string): Readable<readonly JobEvent[]> {
    return this.#histories.of(id)
  }

  serverNowMs(): number {
    return this.#parts.clock.nowMs()
  }

  // ── starting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  startDownload(fileIds: readonly FileId[], options: StartOptions = {}): Promise<Job> {
    const { archiveName, onMissing, label, signal } = options
    const wish = JSON.stringify([fileIds, archiveName, onMissing, label])
    const { world, limits } = this.#parts
    const atMs = world.nowMs()
    const recent = this.#recent
    if (recent?.wish === wish && atMs - recent.atMs < limits.doubleClickMs && this.#isUnfinished(recent.key)) return recent.job
    const key = world.newKey()
    const job = this.#begin(key, () => ({ fileIds: readFileIds(fileIds), archiveName, onMissing }), label ?? null, signal)
    this.#recent = { wish, key, atMs, job }
    return job
  }

  /** What has ended, was refused or taken away is no answer to a second click: the same may be wanted once more. */
  #isUnfinished(key: string): boolean {
    const row = this.#rows.find(key)
    return row !== undefined && !isEnded(row.job)
  }

  async #begin(key: string, read: () => DownloadRequest, label: string | null, signal: AbortSignal | undefined): Promise<Job> {
    this.#start()
    const request = read()
    if (signal?.aborted) throw abortError()
    // The clock may have learned meanwhile that it was ahead: the newest row stands on top all the same.
    const createdAt = Math.max(this.serverNowMs(), ...this.#rows.all().map(({ job }) => job.createdAt + 1))
    const row = this.#rows.add(newJob({ key, id: null, request, label, createdAt, isOwn: true }), { isKnown: true })
    this.#keep(row)
    const withdraw = () => void this.cancel(key).catch(() => {})
    signal?.addEventListener('abort', withdraw)
    try {
      return await this.#submit(row, request)
    } catch (error) {
      // A closed client stays silent: the next page goes on with it. What was withdrawn is shown as cancelled.
      if (!this.#isClosed && row.job.state === 'submitting') this.#forget(row)
      throw error
    } finally {
      signal?.removeEventListener('abort', withdraw)
    }
  }

  /** Ask until it is accepted; the row then has its id. */
  async #submit(row: Row, request: DownloadRequest): Promise<Job> {
    const { key } = row.job
    const submission = new Submission(this.#parts, key, request)
    this.#submissions.set(key, submission)
    try {
      const id = await submission.run((error, retryInMs) => {
        this.#rows.put(row, { ...newJob({ ...row.job, id: null }), state: 'submitting', error, retryAt: this.serverNowMs() + retryInMs } as Job)
      })
      row.cursor = null
      this.#rows.put(row, newJob({ ...row.job, id }))
      this.#keep(row)
      this.#following.update()
      return row.job
    } finally {
      this.#submissions.delete(key)
    }
  }

  /** Create a job again that the server lost, with its own key: whoever else does so gets the same one. */
  #heal(row: Row): boolean {
    const { request, isOwn, createdAt } = row.job
    if (!isOwn || request === null || row.isHealed || !this.#isKeyGood(createdAt)) return false
    row.isHealed = true
    this.#rows.put(row, newJob({ ...row.job, id: null }))
    this.#following.update()
    this.#submit(row, request).catch(() => {
      if (!this.#isClosed) this.#following.missing(row, 'unknown')
    })
    return true
  }

  /** Whether the server still knows the key of a request: later it would make another job. */
  #isKeyGood(createdAt: number): boolean {
    return this.serverNowMs() - createdAt < this.#parts.limits.healWithinMs
  }

  // ── what people do with a job ────────────────────────────────────────────────────────────────────────────────────

  async cancel(id: string): Promise<Job> {
    this.#start()
    const row = this.#rows.find(id)
    if (row?.job.state === 'submitting') return this.#withdraw(row)
    const { status } = await this.#act(id, row, 'cancel')
    if (!row || (status !== 'cancelled' && status !== 'processing')) return this.#look(id, row)
    if (!isEnded(row.job)) this.#rows.put(row, status === 'processing' ? { ...row.job, isCancelling: true } : told(row.job, { status }))
    this.#following.update()
    return row.job
  }

  async retry(id: string): Promise<Job> {
    this.#start()
    const row = this.#rows.find(id)
    await this.#act(id, row, 'retry')
    if (!row) return this.#look(id, row)
    if (row.job.state === 'failed') this.#rows.put(row, told(row.job, { status: 'queued', attempt: 0 }))
    this.#following.update()
    return row.job
  }

  dismiss(id: string): void {
    const row = this.#rows.find(id)
    if (!row) return
    this.#submissions.get(row.job.key)?.withdraw()
    this.#forget(row)
  }

  watch(id: string): () => void {
    this.#start()
    const row = this.#rows.find(id) ?? this.#rows.add(unknownJob(id, this.serverNowMs()), { isKnown: false })
    row.watchers += 1
    row.isForeign = false
    this.#rows.publish(true)
    this.#following.update()
    let isWatching = true
    return () => {
      if (!isWatching) return
      isWatching = false
      row.watchers -= 1
      if (row.watchers || row.job.isOwn) return
      this.#rows.remove(row)
      this.#following.update()
    }
  }

  ended(id: string): Promise<EndedJob> {
    const unwatch = this.watch(id)
    const shown = this.job(id)
    return new Promise((resolve) => {
      const look = () => {
        const job = shown.getSnapshot()
        if (!job || !isEnded(job)) return
        unsubscribe()
        unwatch()
        resolve(job as EndedJob)
      }
      const unsubscribe = shown.subscribe(look)
      look()
    })
  }

  // ── the archive ──────────────────────────────────────────────────────────────────────────────────────────────────

  async fileUrl(id: string): Promise<string> {
    return (await this.fileLink(id)).url
  }

  async fileLink(id: string): Promise<FileLink> {
    const job = this.#rows.find(id)?.job ?? (await this.#look(id, undefined))
    if (job.state !== 'completed') {
      throw refusal('NOT_COMPLETED', `There is no archive of this download: it is ${job.state}.`)
    }
    const { calls, world } = this.#parts
    const given = await calls.credentials.current([job.id])
    if (given && 'header' in given) {
      // A browser sends no header when it saves a file.
      const { body } = await calls.call('/v1/download/tickets', { method: 'POST', body: { job_ids: [job.id] } })
      const ticket = { ticket: String(body!['ticket']), expiresAt: Date.parse(String(body!['expires_at'])) }
      return { url: calls.address(job.downloadPath, ticket), expiresAt: ticket.expiresAt }
    }
    // Theirs is by the local clock, ours by the server's.
    const expiresAt = given && given.expiresAt - world.wallMs() + this.serverNowMs()
    return { url: calls.address(job.downloadPath, given), expiresAt }
  }

  async save(id: string): Promise<void> {
    const { page } = this.#parts.world
    if (!page) throw refusal('NO_BROWSER', 'There is no browser here that could save a file.')
    page.save(await this.fileUrl(id))
  }

  // ── as a whole ───────────────────────────────────────────────────────────────────────────────────────────────────

  tryNow(): void {
    this.#following.line.tryNow()
    this.#nudgeSubmissions()
  }

  close(): void {
    this.#isClosed = true
    this.#stopListening()
    this.#following.leave()
    this.#rows.close()
    for (const submission of this.#submissions.values()) submission.abandon()
  }

  #start(): void {
    if (this.#isStarted || this.#isClosed) return
    this.#isStarted = true
    this.#stopListening = this.#parts.world.page?.listen((event) => this.#onPage(event)) ?? (() => {})
    this.#readList(null)
    this.#following.start()
  }

  #onPage(event: PageEvent): void {
    if (event === 'leave') return this.#following.leave()
    if (event === 'return') this.#following.start()
    if (event === 'shown' || event === 'hidden') this.#following.tabs?.rankChanged()
    if (event === 'hidden') return
    this.#rows.publish(true)
    this.#following.line.nudge()
    this.#nudgeSubmissions()
  }

  #nudgeSubmissions(): void {
    for (const submission of this.#submissions.values()) submission.nudge()
  }

  // ── the list of own jobs ─────────────────────────────────────────────────────────────────────────────────────────

  /** Remember a row's request; what has ended makes room for what has not. */
  #keep(row: Row): void {
    const { key, id, state, request, label, createdAt } = row.job
    const entry = { key, id: state === 'submitting' ? null : id, request, label, createdAt }
    this.#memory.keep(entry, (kept) => !this.#isUnfinished(kept))
    this.#following.tabs?.tellList(null)
  }

  #forget(row: Row): void {
    this.#rows.remove(row)
    this.#memory.forget(row.job.key)
    this.#following.tabs?.tellList(row.job.key)
    this.#following.update()
  }

  /**
   * Make rows of what the list says, at the start and when another tab has changed it. Only what that tab has dismissed
   * or withdrawn goes: a list that is full has lost others, too, which are still of interest here.
   */
  #readList(forgotten: string | null): void {
    const row = forgotten === null ? undefined : this.#rows.find(forgotten)
    if (row?.job.isOwn && !row.watchers) {
      this.#submissions.get(row.job.key)?.abandon()
      this.#rows.remove(row)
    }
    for (const entry of this.#memory.entries()) this.#recall(entry)
    this.#following.update()
  }

  #recall(entry: Remembered): void {
    const row = this.#rows.find(entry.key) ?? (entry.id === null ? undefined : this.#rows.find(entry.id))
    if (row?.job.isOwn && row.job.id === (entry.id ?? entry.key)) return
    if (row && entry.id === null) return
    if (row) this.#rows.remove(row)
    const added = this.#rows.add(newJob({ ...entry, isOwn: true }), { isKnown: entry.id === null })
    if (entry.id !== null || entry.request === null) return
    if (!this.#isKeyGood(entry.createdAt)) return this.#forget(added)
    this.#submit(added, entry.request).catch(() => {
      if (!this.#isClosed) this.#forget(added)
    })
  }

  // ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #withdraw(row: Row): Promise<Job> {
    void this.#submissions.get(row.job.key)?.withdraw()
    this.#rows.put(row, told(newJob({ ...row.job, id: null }), { status: 'cancelled' }))
    this.#memory.forget(row.job.key)
    this.#following.tabs?.tellList(row.job.key)
    return row.job
  }

  async #act(id: string, row: Row | undefined, verb: 'cancel' | 'retry'): Promise<Message> {
    try {
      return (await this.#parts.calls.call(jobPath(row?.job.id ?? id, `/${verb}`), { method: 'POST' })).body!
    } catch (error) {
      if (row && (error as WaybillError).code === 'GONE') this.#following.missing(row, 'removed')
      throw error
    }
  }

  /** Ask for a job's record now. */
  async #look(id: string, row: Row | undefined): Promise<Job> {
    const jobId = row?.job.id ?? id
    const body = (await this.#parts.calls.call(jobPath(jobId), { jobIds: [jobId] })).body!
    if (!row) return told(unknownJob(id, 0), body)
    this.#rows.take(row, null, { ...body, type: 'snapshot' })
    this.#following.update()
    return row.job
  }
}
