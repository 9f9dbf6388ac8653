/** The client: rows of jobs, begun here or watched, and everything that a person may want of them. */

import { abortError, Calls, JOBS } from './calls.ts'
import { Credentials } from './credentials.ts'
import { refusal, WaybillError } from './errors.ts'
import { Following } from './following.ts'
import { fromRecord, isEnded, newJob } from './job.ts'
import { LIMITS, type Limits } from './limits.ts'
import { Memory, type Remembered } from './memory.ts'
import { type Row, Rows } from './rows.ts'
import { ServerClock } from './server_clock.ts'
import { readFileIds, Submission } from './submissions.ts'
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
import { type PageEvent, realWorld, type World } from './world.ts'

export class DownloadClient implements DownloadClientFace {
  readonly jobs: Readable<readonly Job[]>
  readonly connection: Readable<Connection>
  readonly #world: World
  readonly #limits: Limits
  readonly #clock: ServerClock
  readonly #calls: Calls
  readonly #rows: Rows
  readonly #memory: Memory
  readonly #following: Following
  readonly #submissions = new Map<string, Submission>()
  #recent: { readonly wish: string; readonly key: string; readonly atMs: number; readonly job: Promise<Job> } | null = null
  #isStarted = false
  #isClosed = false
  #stopListening = () => {}

  constructor(options: ClientOptions = {}) {
    const world = (this.#world = { ...realWorld(), ...options.world })
    const limits = (this.#limits = { ...LIMITS, ...options.limits })
    const clock = (this.#clock = new ServerClock(() => world.nowMs(), () => world.wallMs(), limits))
    const base = (options.baseUrl ?? '').replace(/\/+$/, '')
    const name = `waybill:${base}:${options.scope ?? ''}`
    const onObserved = (isObserved: boolean) => isObserved && this.#start()
    const credentials = new Credentials(options.authorize, world, limits)
    const calls = (this.#calls = new Calls({ base, credentials: options.credentials }, credentials, { world, limits, clock }))
    const rows = (this.#rows = new Rows(world, limits, onObserved))
    this.#memory = new Memory(options.remember === false ? null : world.storage, name, limits)
    const listener = { onLost: (row: Row) => this.#heal(row), onList: (forgotten: string | null) => this.#readList(forgotten) }
    // Outside of browsers there are no tabs, and an open channel would keep a program from ending.
    const sharing = options.shareTabs && world.page ? { name, by: options.shareTabs } : null
    this.#following = new Following({ calls, world, limits, clock, rows }, sharing, listener, onObserved)
    this.jobs = rows.jobs
    this.connection = this.#following.connection
  }

  job(id: string): Readable<Job | undefined> {
    return this.#rows.single(id)
  }

  events(id: string): Readable<readonly JobEvent[]> {
    return this.#rows.log(id)
  }

  serverNowMs(): number {
    return this.#clock.nowMs()
  }

  // ── starting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  startDownload(fileIds: readonly FileId[], options: StartOptions = {}): Promise<Job> {
    const { archiveName, onMissing, label, signal } = options
    const wish = JSON.stringify([fileIds, archiveName, onMissing, label])
    const atMs = this.#world.nowMs()
    const recent = this.#recent
    if (recent?.wish === wish && atMs - recent.atMs < this.#limits.doubleClickMs && this.#isUnfinished(recent.key)) return recent.job
    const key = this.#world.newKey()
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
    const createdAt = Math.max(this.#clock.nowMs(), ...this.#rows.all().map(({ job }) => job.createdAt + 1))
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
    const submission = new Submission({ calls: this.#calls, world: this.#world, limits: this.#limits }, key, request)
    this.#submissions.set(key, submission)
    try {
      const id = await submission.run((error, retryInMs) => {
        const retryAt = this.#clock.nowMs() + retryInMs
        this.#rows.put(row, { ...newJob({ ...row.job, id: null }), state: 'submitting', error, retryAt } as Job)
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
    const isYoung = this.#clock.nowMs() - createdAt < this.#limits.healWithinMs
    if (!isOwn || request === null || row.isHealed || !isYoung) return false
    row.isHealed = true
    this.#rows.put(row, newJob({ ...row.job, id: null }))
    this.#following.update()
    this.#submit(row, request).catch(() => {
      if (!this.#isClosed) this.#following.missing(row, 'unknown')
    })
    return true
  }

  // ── what people do with a job ────────────────────────────────────────────────────────────────────────────────────

  async cancel(id: string): Promise<Job> {
    this.#start()
    const row = this.#rows.find(id)
    if (row?.job.state === 'submitting') return this.#withdraw(row)
    const status = (await this.#act(id, row, 'cancel'))?.['status']
    if (!row || (status !== 'cancelled' && status !== 'processing')) return this.#look(id, row)
    if (status === 'processing' && !isEnded(row.job)) this.#rows.put(row, { ...row.job, isCancelling: true })
    else if (!isEnded(row.job)) this.#rows.put(row, fromRecord(row.job, { status }))
    this.#following.update()
    return row.job
  }

  async retry(id: string): Promise<Job> {
    this.#start()
    const row = this.#rows.find(id)
    await this.#act(id, row, 'retry')
    if (!row) return this.#look(id, row)
    if (row.job.state === 'failed') this.#rows.put(row, fromRecord(row.job, { status: 'queued', attempt: 0 }))
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
    const job = newJob({ key: id, id, label: null, request: null, isOwn: false, createdAt: this.#clock.nowMs() })
    const row = this.#rows.find(id) ?? this.#rows.add(job, { isKnown: false })
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
    const authorization = await this.#calls.credentials.current([job.id])
    if (!authorization || 'ticket' in authorization) {
      // Theirs is by the local clock, ours by the server's.
      const expiresAt = authorization && this.#clock.nowMs() + authorization.expiresAt - this.#world.wallMs()
      return { url: this.#calls.address(job.downloadPath, authorization), expiresAt }
    }
    // A browser sends no header when it saves a file.
    const { body } = await this.#calls.call('/v1/download/tickets', { method: 'POST', body: { job_ids: [job.id] } })
    const expiresAt = Date.parse(String(body?.['expires_at']))
    return { url: this.#calls.address(job.downloadPath, { ticket: String(body?.['ticket']), expiresAt }), expiresAt }
  }

  async save(id: string): Promise<void> {
    const { page } = this.#world
    if (!page) throw refusal('NO_BROWSER', 'There is no browser here that could save a file.')
    page.save(await this.fileUrl(id))
  }

  // ── as a whole ───────────────────────────────────────────────────────────────────────────────────────────────────

  tryNow(): void {
    this.#following.tryNow()
    for (const submission of this.#submissions.values()) submission.nudge()
  }

  close(): void {
    this.#isClosed = true
    this.#stopListening()
    this.#following.close()
    this.#rows.close()
    for (const submission of this.#submissions.values()) submission.abandon()
  }

  #start(): void {
    if (this.#isStarted || this.#isClosed) return
    this.#isStarted = true
    this.#stopListening = this.#world.page?.listen((event) => this.#onPage(event)) ?? (() => {})
    this.#readList(null)
    this.#following.start()
  }

  #onPage(event: PageEvent): void {
    if (event === 'leave') return this.#following.leave()
    if (event === 'return') this.#following.start()
    if (event === 'shown' || event === 'hidden') this.#following.rankChanged()
    if (event === 'hidden') return
    this.#rows.publish(true)
    this.#following.nudge()
    for (const submission of this.#submissions.values()) submission.nudge()
  }

  // ── the list of own jobs ─────────────────────────────────────────────────────────────────────────────────────────

  /** Remember a row's request; what has ended makes room for what has not. */
  #keep(row: Row): void {
    const { key, id, state, request, label, createdAt } = row.job
    const entry = { key, id: state === 'submitting' ? null : id, request, label, createdAt }
    this.#memory.keep(entry, (kept) => !this.#isUnfinished(kept))
    this.#following.listChanged(null)
  }

  #forget(row: Row): void {
    this.#rows.remove(row)
    this.#memory.forget(row.job.key)
    this.#following.listChanged(row.job.key)
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
    const isKeyGood = this.#clock.nowMs() - entry.createdAt < this.#limits.healWithinMs
    if (!isKeyGood) return this.#forget(added)
    this.#submit(added, entry.request).catch(() => {
      if (!this.#isClosed) this.#forget(added)
    })
  }

  // ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #withdraw(row: Row): Promise<Job> {
    void this.#submissions.get(row.job.key)?.withdraw()
    this.#rows.put(row, fromRecord(newJob({ ...row.job, id: null }), { status: 'cancelled' }))
    this.#memory.forget(row.job.key)
    this.#following.listChanged(row.job.key)
    return row.job
  }

  async #act(id: string, row: Row | undefined, verb: 'cancel' | 'retry') {
    try {
      return (await this.#calls.call(`${JOBS}/${encodeURIComponent(row?.job.id ?? id)}/${verb}`, { method: 'POST' })).body
    } catch (error) {
      if (row && error instanceof WaybillError && error.code === 'GONE') this.#following.missing(row, 'removed')
      throw error
    }
  }

  /** Ask for a job's record now. */
  async #look(id: string, row: Row | undefined): Promise<Job> {
    const jobId = row?.job.id ?? id
    const { body } = await this.#calls.call(`${JOBS}/${encodeURIComponent(jobId)}`, { jobIds: [jobId] })
    if (!row) return fromRecord(newJob({ key: id, id, label: null, request: null, isOwn: false, createdAt: 0 }), body ?? {})
    this.#rows.takeRecord(row, body ?? {}, false)
    this.#following.update()
    return row.job
  }
}
