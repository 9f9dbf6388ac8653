import { afterEach, beforeEach, expect, test } from 'vitest'

import { type ClientOptions, type Connection, DownloadClient, type Job, type Readable, WaybillError } from '../../src/client/index.ts'
import { shareTabs } from '../../src/tabs/index.ts'
import { frame, heartbeat, html, json, openStream, problem, ScriptedServer } from '../support/scripted_server.ts'
import { QUICK, TestPage, TestStorage } from '../support/worlds.ts'

const JOBS = '/v1/download/jobs'
const STREAM = '/v1/download/stream'
const AT = '2026-11-27T12:00:00Z'
const ID = '0193a1b2-0000-8000-8000-000000000001'
const SNAPSHOT = { type: 'snapshot', at: AT, job_id: ID, status: 'processing', attempt: 1, progress: 0.2, files_processed: 0, total_files: 2, bytes_processed: 20, total_bytes: 100, created_at: AT, updated_at: AT }
const COMPLETED = { type: 'completed', at: AT, job_id: ID, download_url: `${JOBS}/${ID}/file`, files: 2, archive_bytes: 120, archive_crc32: 'ab', expires_at: '2026-11-28T12:00:00Z' }
const progress = (bytes: number) => ({ type: 'progress', at: AT, job_id: ID, progress: bytes / 100, files_processed: 0, total_files: 2, bytes_processed: bytes, total_bytes: 100 })

let server: ScriptedServer
let client: DownloadClient
const clients: DownloadClient[] = []

beforeEach(async () => {
  server = await new ScriptedServer().start()
  server.on(`POST ${JOBS}`, json(202, { job_id: ID, status: 'queued' }))
})

afterEach(async () => {
  for (const opened of clients.splice(0)) opened.close()
  await server.stop()
})

function open(options: ClientOptions = {}): DownloadClient {
  client = new DownloadClient({ baseUrl: server.url, ...options, limits: { ...QUICK, ...options.limits } })
  clients.push(client)
  return client
}

/** Wait until what is published is as wanted, and give it. */
function until<T>(shown: Readable<T>, isWanted: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    let stop = () => {}
    const look = () => {
      const value = shown.getSnapshot()
      if (!isWanted(value)) return
      stop()
      resolve(value)
    }
    stop = shown.subscribe(look)
    look()
  })
}

const mode = (wanted: Connection['mode']) => until(client.connection, (connection) => connection.mode === wanted)
const state = (wanted: Job['state'], id = ID) => until(client.job(id), (job) => job?.state === wanted)

/** A stream that ends the job properly. */
function whole(response: Parameters<typeof openStream>[0]): void {
  openStream(response).end(frame(SNAPSHOT, '1-2') + frame(progress(50), '1-3') + frame(COMPLETED, '1-4'))
}

// ── the way things go ────────────────────────────────────────────────────────────────────────────────────────────────

test('a download is a row at once, has its id when it is accepted, and is followed to its end by one stream', async () => {
  server.on(`GET ${STREAM}`, whole)
  open()

  const started = client.startDownload([1, '2'], { archiveName: 'report.zip', onMissing: 'skip' })
  const rows = client.jobs.getSnapshot()
  const job = await started
  const ended = await client.ended(ID)

  expect(rows).toMatchObject([{ state: 'submitting', label: 'report.zip', filesTotal: 2 }])
  expect(job).toMatchObject({ id: ID, state: 'queued', key: rows[0]!.key })
  expect(ended).toMatchObject({ state: 'completed', sizeBytes: 120, progress: 1 })
  const [post] = server.asked
  expect(post!.body).toEqual({ file_ids: [1, 2], archive_name: 'report.zip', on_missing: 'skip' })
  expect(post!.headers['idempotency-key']).toBe(`"${job.key}"`)
  expect(server.count(`GET ${STREAM}`)).toBe(1)
  await mode('idle')
})

test('a second download joins the stream, which goes on from where it was', async () => {
  const other = ID.replace(/1$/, '2')
  server.on(`POST ${JOBS}`, (response, asked, nth) => json(202, { job_id: nth === 1 ? ID : other, status: 'queued' })(response, asked, nth))
  const closed: number[] = []
  let heard = () => {}
  const firstIsClosed = new Promise<void>((resolve) => (heard = resolve))
  server.on(`GET ${STREAM}`, (response, asked, nth) => {
    response.on('close', () => (closed.push(nth), heard()))
    openStream(response).write(asked.query.getAll('job').length === 1 ? frame(SNAPSHOT, '1-2') : heartbeat())
  })
  open()
  await client.startDownload([1])
  await state('processing')

  await client.startDownload([2])
  const asked = await server.until(`GET ${STREAM}`, 2)

  expect(asked.query.getAll('job').sort()).toEqual([ID, other])
  expect(asked.query.get('last_event_id')?.split('.').sort()).toEqual(['-', '1-2'])
  await firstIsClosed
  expect(closed).toEqual([1])
})

test('two clicks within two seconds are one download', async () => {
  server.on(`GET ${STREAM}`, (response) => void openStream(response).write(heartbeat()))
  open()

  const both = await Promise.all([client.startDownload([1]), client.startDownload([1])])

  expect(both[0]).toBe(both[1])
  expect(server.count(`POST ${JOBS}`)).toBe(1)
})

test.each([
  ['ended', 'COMPLETED'],
  ['was taken away', 'DISMISSED'],
])('a download that %s is no answer to the same wish: it is begun anew', async (_, how) => {
  const second = ID.replace(/1$/, '2')
  server.on(`POST ${JOBS}`, (response, asked, nth) => json(202, { job_id: nth === 1 ? ID : second, status: 'queued' })(response, asked, nth))
  server.on(`GET ${STREAM}`, whole)
  open()
  const { key } = await client.startDownload([1])
  await client.ended(key)
  if (how === 'DISMISSED') client.dismiss(key)

  const again = await client.startDownload([1])

  expect(again).toMatchObject({ id: second })
  expect(again.key).not.toBe(key)
})

test('what is no id is named, with its place, before anything is sent', async () => {
  open()

  const error = await client.startDownload([1, 'abc']).catch((reason: unknown) => reason)

  expect(error).toBeInstanceOf(WaybillError)
  expect(error).toMatchObject({ code: 'INVALID_FILE_ID', detail: expect.stringMatching(/“abc” at place 2/) as string })
  expect(server.asked).toEqual([])
  expect(client.jobs.getSnapshot()).toEqual([])
})

// ── the line is bad ──────────────────────────────────────────────────────────────────────────────────────────────────

test('a stream that is cut after any byte goes on from the last event, and nothing is lost or told twice', async () => {
  const frames = [frame(SNAPSHOT, '1-2'), frame(progress(50), '1-3'), frame(progress(60), '1-4'), frame(COMPLETED, '1-5')]
  const text = frames.join('')
  const seen: string[] = []
  server.on(`GET ${STREAM}`, (response, asked, nth) => {
    const seq = Number(asked.query.get('last_event_id')?.split('-')[1] ?? 1)
    const rest = seq > 1 ? heartbeat() + frames.slice(seq - 1).join('') : text
    // Each connection gets a piece that is 7 bytes longer than the last one's, so that cuts fall everywhere.
    const cut = rest.slice(0, nth * 7)
    openStream(response).write(cut, () => (cut === rest ? response.end() : response.destroy()))
  })
  open({ limits: { backoffAtLeastMs: 0, backoffFirstMs: 1, framelessAttempts: 10_000 } })
  client.watch(ID)
  client.events(ID).subscribe(() => seen.push(client.events(ID).getSnapshot().at(-1)!.id!))

  const ended = await client.ended(ID)

  expect(ended.state).toBe('completed')
  expect(seen).toEqual(['1-3', '1-4', '1-5'])
  expect(server.count(`GET ${STREAM}`)).toBeGreaterThan(20)
}, 20_000)

test('a stream that stays mute twice makes it poll, and a probe brings it back', async () => {
  let isMute = true
  server.on(`GET ${STREAM}`, (response) => void (isMute ? openStream(response) : openStream(response).write(heartbeat())))
  server.on(`GET ${JOBS}`, json(200, { jobs: [{ ...SNAPSHOT, type: undefined }], next_cursor: null }))
  open()
  client.watch(ID)

  const polling = await mode('polling')
  const opens = server.count(`GET ${STREAM}`)
  isMute = false
  await mode('live')

  expect(polling.reason).toBe('mute')
  expect(opens).toBe(2)
  expect(client.job(ID).getSnapshot()).toMatchObject({ state: 'processing', bytesDone: 20 })
})

test('a stream that falls silent is opened again', async () => {
  server.on(`GET ${STREAM}`, (response) => void openStream(response).write(frame(SNAPSHOT, '1-2')))
  open({ limits: { anyByteMs: 50 } })
  client.watch(ID)

  const again = await server.until(`GET ${STREAM}`, 2)

  expect(again.query.get('last_event_id')).toBe('1-2')
})

test('a head that does not come is given up', async () => {
  server.on(`GET ${STREAM}`, () => {})
  open({ limits: { headersMs: 40 } })
  client.watch(ID)

  await server.until(`GET ${STREAM}`, 2)

  expect(client.connection.getSnapshot().mode).toBe('waiting')
})

test('a server that is away is waited for, and the request is kept; rows are marked meanwhile', async () => {
  server.on(`GET ${STREAM}`, (response, _, nth) => void (nth === 1 ? openStream(response).write(frame(SNAPSHOT, '1-2')) : response.destroy()))
  server.on(`GET ${JOBS}`, (response) => void response.destroy())
  open({ limits: { anyByteMs: 40 } })
  client.watch(ID)

  const marked = await until(client.job(ID), (job) => job?.isStale === true)
  const waiting = await mode('waiting')
  server.on(`GET ${STREAM}`, whole)
  const ended = await client.ended(ID)

  expect(marked).toMatchObject({ bytesDone: 20, state: 'processing' })
  expect(waiting.reason).toMatch(/network|timeout/)
  expect(ended).toMatchObject({ state: 'completed', isStale: false })
})

test('when polling finds the server back after an outage, the stream is tried at once, not at the next probe', async () => {
  let isAway = true
  server.on(`GET ${STREAM}`, (response) => void (isAway ? response.destroy() : openStream(response).write(frame(SNAPSHOT, '1-2'))))
  server.on(`GET ${JOBS}`, (response, asked, nth) => (isAway ? response.destroy() : json(200, { jobs: [SNAPSHOT] })(response, asked, nth)))
  open({ limits: { probeAfterMs: 600_000, probeAtMostMs: 600_000 } })
  client.watch(ID)
  await server.until(`GET ${JOBS}`, 2)

  isAway = false

  await mode('live')
})

test('`busy` is a reason to come back when the server says, not a failure', async () => {
  server.on(`GET ${STREAM}`, (response, _, nth) =>
    nth === 1 ? openStream(response).end(`retry: 30\n${frame({ type: 'busy', reason: 'drain', at: AT })}`) : whole(response),
  )
  open()
  client.watch(ID)

  const waiting = await mode('waiting')
  const ended = await client.ended(ID)

  expect(waiting.reason).toBe('drain')
  expect(waiting.retryInSeconds).toBe(1)
  expect(ended.state).toBe('completed')
})

test('a page that gets focus tries at once', async () => {
  const page = new TestPage()
  server.on(`GET ${STREAM}`, (response, _, nth) => void (nth === 1 ? response.destroy() : openStream(response).write(frame(SNAPSHOT, '1-2'))))
  open({ world: { page }, limits: { backoffAtLeastMs: 600_000, backoffAtMostMs: 600_000 } })
  client.watch(ID)
  page.offline = true
  await mode('offline')

  page.tell('nudge')

  await mode('live')
})

test('a page that goes into the back-forward cache holds no stream, and opens one when it returns', async () => {
  const page = new TestPage()
  let closed: () => void
  const isClosed = new Promise<void>((resolve) => (closed = resolve))
  server.on(`GET ${STREAM}`, (response) => {
    response.on('close', () => closed())
    openStream(response).write(frame(SNAPSHOT, '1-2'))
  })
  open({ world: { page } })
  client.watch(ID)
  await mode('live')

  page.tell('leave')
  await isClosed
  page.tell('return')

  await server.until(`GET ${STREAM}`, 2)
})

// ── other servers ────────────────────────────────────────────────────────────────────────────────────────────────────

test('a web page instead of an answer is told as such, and the request is refused', async () => {
  server.on(`POST ${JOBS}`, html)
  open()

  const error = await client.startDownload([1]).catch((reason: unknown) => reason)

  expect(error).toMatchObject({ code: 'NOT_WAYBILL' })
  expect(client.jobs.getSnapshot()).toEqual([])
})

test('a web page instead of a stream is no end of a job', async () => {
  server.on(`GET ${STREAM}`, html).on(`GET ${JOBS}`, html)
  open()
  client.watch(ID)

  const waiting = await mode('waiting')
  server.on(`GET ${STREAM}`, whole)

  expect(waiting.reason).toBe('html')
  expect(await client.ended(ID)).toMatchObject({ state: 'completed' })
})

// ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test.each([
  [422, 'UNKNOWN_FILES'],
  [403, 'FILES_FORBIDDEN'],
])('a request that is refused with %i %s rejects with the sentence of the server, and leaves no row', async (status, code) => {
  server.on(`POST ${JOBS}`, problem(status, code))
  open()

  const error = await client.startDownload([1]).catch((reason: unknown) => reason)

  expect(error).toMatchObject({ status, code, detail: `The sentence of ${code}.` })
  expect(client.jobs.getSnapshot()).toEqual([])
})

test.each([
  [503, 'DRAINING'],
  [429, 'TOO_MANY_REQUESTS'],
])('a request that is answered %i is repeated after Retry-After with the same key, and the row says why', async (status, code) => {
  server.on(`POST ${JOBS}`, (response, asked, nth) =>
    (nth === 1 ? problem(status, code, { 'retry-after': '1' }) : json(202, { job_id: ID, status: 'queued' }))(response, asked, nth),
  )
  server.on(`GET ${STREAM}`, whole)
  open()
  const startedAtMs = performance.now()

  const started = client.startDownload([1])
  const kept = await until(client.jobs, ([row]) => row?.state === 'submitting' && row.error !== undefined)
  await started

  expect(kept).toMatchObject([{ error: { status, code, retryAfterSeconds: 1 } }])
  expect(performance.now() - startedAtMs).toBeGreaterThan(990)
  const posts = server.asked.filter(({ method }) => method === 'POST')
  expect(posts.map(({ headers }) => headers['idempotency-key'])).toEqual(Array(2).fill(posts[0]!.headers['idempotency-key']))
})

test('after a 401 another authorization is asked for, once for all calls', async () => {
  let asked = 0
  const authorize = () => Promise.resolve({ header: `Bearer ${++asked}` })
  server.on(`POST ${JOBS}`, (response, request, nth) => (request.headers.authorization === 'Bearer 1' ? problem(401, 'UNAUTHENTICATED') : json(202, { job_id: ID, status: 'queued' }))(response, request, nth))
  server.on(`GET ${STREAM}`, whole)
  open({ authorize })

  await Promise.all([client.startDownload([1]), client.startDownload([2])])

  expect(asked).toBe(2)
})

test('three refusals in a row are the end of trying, until somebody signs in', async () => {
  let isSignedIn = false
  server.on(`GET ${STREAM}`, (response, asked, nth) => (isSignedIn ? whole(response) : problem(401, 'UNAUTHENTICATED')(response, asked, nth)))
  open({ authorize: () => Promise.resolve({ header: 'Bearer x' }) })
  client.watch(ID)

  await mode('unauthorized')
  expect(server.count(`GET ${STREAM}`)).toBe(3)
  isSignedIn = true
  client.tryNow()

  expect(await client.ended(ID)).toMatchObject({ state: 'completed' })
})

test('a ticket opens the stream, the batch and the archive of its jobs', async () => {
  let isMute = true
  server.on(`GET ${STREAM}`, (response) => void (isMute ? openStream(response) : whole(response))).on(`GET ${JOBS}`, json(200, { jobs: [SNAPSHOT], missing: [] }))
  open({ authorize: () => Promise.resolve({ ticket: 'wt1_a.b-c', expiresAt: Date.now() + 900_000 }) })
  client.watch(ID)

  await mode('polling')
  isMute = false

  expect(await client.ended(ID)).toMatchObject({ state: 'completed' })
  expect(new Set(server.asked.map(({ query }) => query.get('ticket')))).toEqual(new Set(['wt1_a.b-c']))
  expect(await client.fileUrl(ID)).toBe(`${server.url}${JOBS}/${ID}/file?ticket=wt1_a.b-c`)
})

test('a ticket is asked for for the jobs that it must open, and another one when there are more', async () => {
  const other = ID.replace(/1$/, '2')
  const asked: (readonly string[])[] = []
  server.on(`GET ${STREAM}`, (response) => void openStream(response).write(heartbeat()))
  open({
    authorize: (jobIds) => {
      asked.push(jobIds)
      return Promise.resolve({ ticket: `for-${jobIds.length}`, expiresAt: Date.now() + 900_000 })
    },
  })
  client.watch(ID)
  await server.until(`GET ${STREAM}`)

  client.watch(other)
  const second = await server.until(`GET ${STREAM}`, 2)

  expect(asked.map((ids) => [...ids].sort())).toEqual([[ID], [ID, other]])
  expect(second.query.get('ticket')).toBe('for-2')
})

test('who watches, stops and watches again while a ticket is on its way asks for one, and opens one stream', async () => {
  let asked = 0
  let give = () => {}
  server.on(`GET ${STREAM}`, (response) => void openStream(response).write(frame(SNAPSHOT, '1-2')))
  open({
    authorize: () => {
      asked += 1
      return new Promise((resolve) => (give = () => resolve({ ticket: 't', expiresAt: Date.now() + 900_000 })))
    },
  })
  client.watch(ID)()
  client.watch(ID)
  await Promise.resolve()

  give()
  await state('processing')

  expect(asked).toBe(1)
  expect(server.count(`GET ${STREAM}`)).toBe(1)
})

test('a ticket is renewed a minute before its end, and when the server says that it is over', async () => {
  let tickets = 0
  server.on(`GET ${STREAM}`, (response, _, nth) => (nth < 3 ? openStream(response).end(frame({ type: 'busy', reason: 'ticket_expired', at: AT })) : whole(response)))
  open({ authorize: () => Promise.resolve({ ticket: String(++tickets), expiresAt: Date.now() + (tickets === 1 ? 30_000 : 900_000) }) })
  client.watch(ID)

  await client.ended(ID)

  expect(server.asked.map(({ query }) => query.get('ticket'))).toEqual(['1', '2', '3'])
})

// ── lost and gone ────────────────────────────────────────────────────────────────────────────────────────────────────

test('a job that the server lost is created again once, with its own key, in the same row', async () => {
  const second = ID.replace(/1$/, '2')
  server.on(`POST ${JOBS}`, (response, asked, nth) => json(202, { job_id: nth === 1 ? ID : second, status: 'queued' })(response, asked, nth))
  const missing = (id: string) => ({ type: 'error', job_id: id, at: AT, error: { code: 'NOT_FOUND', message: 'Unknown.' } })
  server.on(`GET ${STREAM}`, (response, asked) => openStream(response).end(frame(missing(asked.query.get('job')!), 'x')))
  open()

  const { key } = await client.startDownload([1])
  const gone = await state('gone', key)

  expect(gone).toMatchObject({ reason: 'unknown', id: second, key, request: { fileIds: [1] } })
  const posts = server.asked.filter(({ method }) => method === 'POST')
  expect(posts.map(({ headers }) => headers['idempotency-key'])).toEqual([`"${key}"`, `"${key}"`])
})

test('a job of somebody else that is unknown is told, and not created', async () => {
  server.on(`GET ${STREAM}`, (response) => openStream(response).end(frame({ type: 'error', job_id: ID, at: AT, error: { code: 'NOT_FOUND', message: 'm' } }, 'x')))
  open()
  client.watch(ID)

  expect(await client.ended(ID)).toMatchObject({ state: 'gone', reason: 'unknown' })
  expect(server.count(`POST ${JOBS}`)).toBe(0)
})

test('polling hears of jobs that cannot be had', async () => {
  server.on(`GET ${STREAM}`, (response) => void openStream(response))
  server.on(`GET ${JOBS}`, json(200, { jobs: [], missing: [{ job_id: ID, code: 'GONE', message: 'm' }] }))
  open()
  client.watch(ID)

  expect(await client.ended(ID)).toMatchObject({ state: 'gone', reason: 'removed' })
})

test('a job that was removed is told so', async () => {
  server.on(`GET ${STREAM}`, (response) => openStream(response).end(frame({ type: 'error', job_id: ID, at: AT, error: { code: 'GONE', message: 'm' } }, 'x')))
  open()
  client.watch(ID)

  expect(await client.ended(ID)).toMatchObject({ state: 'gone', reason: 'removed' })
})

// ── what people do ───────────────────────────────────────────────────────────────────────────────────────────────────

test('cancelling is seen at once, and ends with the server’s word', async () => {
  let end = () => {}
  server.on(`GET ${STREAM}`, (response) => {
    openStream(response).write(frame(SNAPSHOT, '1-2'))
    end = () => void response.write(frame({ type: 'cancelled', job_id: ID, at: AT, reason: 'The job was cancelled by its caller.' }, '1-3'))
  })
  server.on(`POST ${JOBS}/${ID}/cancel`, json(202, { job_id: ID, status: 'processing' }))
  open()
  client.watch(ID)
  await state('processing')

  expect(await client.cancel(ID)).toMatchObject({ state: 'processing', isCancelling: true })
  end()

  expect(await state('cancelled')).toMatchObject({ isCancelling: false })
})

test('cancelling what is being sent withdraws it, and cancels the job if one was made', async () => {
  let isAway = true
  server.on(`POST ${JOBS}`, (response, asked, nth) => (isAway ? problem(503, 'DRAINING') : json(202, { job_id: ID, status: 'queued' }))(response, asked, nth))
  server.on(`POST ${JOBS}/${ID}/cancel`, json(202, { job_id: ID, status: 'cancelled' }))
  open({ limits: { backoffAtLeastMs: 600_000, backoffAtMostMs: 600_000 } })
  const started = client.startDownload([1]).catch((reason: unknown) => reason)
  const [row] = await until(client.jobs, ([job]) => job?.state === 'submitting' && job.error !== undefined)

  isAway = false
  await client.cancel(row!.id)

  expect(await started).toMatchObject({ code: 'ABORTED' })
  expect(client.job(row!.key).getSnapshot()).toMatchObject({ state: 'cancelled' })
  await server.until(`POST ${JOBS}/${ID}/cancel`)
})

test('an aborted signal withdraws the request', async () => {
  server.on(`POST ${JOBS}`, () => {})
  const stop = new AbortController()
  open()
  const started = client.startDownload([1], { signal: stop.signal }).catch((reason: unknown) => reason)
  await server.until(`POST ${JOBS}`)

  stop.abort()

  expect(await started).toMatchObject({ code: 'ABORTED' })
})

test('a failed job is run again under its id, and its stream goes on behind its end', async () => {
  server.on(`GET ${STREAM}`, (response, asked) =>
    asked.query.get('last_event_id') === '1-3'
      ? openStream(response).end(frame({ type: 'queued', job_id: ID, at: AT }, '2-4') + frame(COMPLETED, '3-6'))
      : openStream(response).end(frame({ type: 'error', job_id: ID, at: AT, error: { code: 'SOURCE_CHANGED', message: 'm' }, can_retry: true }, '1-3')),
  )
  server.on(`POST ${JOBS}/${ID}/retry`, json(202, { job_id: ID, status: 'queued' }))
  open()
  client.watch(ID)
  await state('failed')

  expect(await client.retry(ID)).toMatchObject({ state: 'queued', id: ID })

  await state('completed')
})

test('a completed archive is saved by the browser, with a ticket where a header is needed', async () => {
  const page = new TestPage()
  server.on(`GET ${STREAM}`, whole)
  server.on('POST /v1/download/tickets', json(201, { ticket: 'wt1_x', expires_at: AT }))
  open({ world: { page }, authorize: () => Promise.resolve({ header: 'Bearer x' }) })
  client.watch(ID)
  await client.ended(ID)

  await client.save(ID)

  expect(page.saved).toEqual([`${server.url}${JOBS}/${ID}/file?ticket=wt1_x`])
  expect(await client.fileLink(ID)).toEqual({ url: page.saved[0], expiresAt: Date.parse(AT) })
})

test('what is not completed has no archive to save', async () => {
  server.on(`GET ${STREAM}`, (response) => void openStream(response).write(frame(SNAPSHOT, '1-2')))
  open()
  client.watch(ID)
  await state('processing')

  await expect(client.fileUrl(ID)).rejects.toMatchObject({ code: 'NOT_COMPLETED' })
})

// ── over reloads ─────────────────────────────────────────────────────────────────────────────────────────────────────

test('after a reload the jobs are there again, and what was not accepted yet is asked for with its key', async () => {
  const storage = new TestStorage()
  server.on(`GET ${STREAM}`, (response) => void openStream(response).write(frame(SNAPSHOT, '1-2')))
  const first = open({ world: { storage } })
  await first.startDownload([1], { label: 'Annual report' })
  server.on(`POST ${JOBS}`, () => {})
  first.startDownload([2]).catch(() => {})
  await server.until(`POST ${JOBS}`, 2)
  first.close()
  server.on(`POST ${JOBS}`, json(202, { job_id: ID.replace(/1$/, '2'), status: 'queued' }))

  open({ world: { storage } })
  const rows = await until(client.jobs, (jobs) => jobs.length === 2 && jobs.every(({ id }) => id.startsWith('0193')))

  expect(rows.map(({ label }) => label)).toContain('Annual report')
  const keys = server.asked.filter(({ method }) => method === 'POST').map(({ headers }) => headers['idempotency-key'])
  expect(keys[2]).toBe(keys[1])
})

test('a dismissed job is forgotten', async () => {
  const storage = new TestStorage()
  server.on(`GET ${STREAM}`, whole)
  const first = open({ world: { storage } })
  const { id } = await first.startDownload([1])
  first.dismiss(id)
  first.close()

  open({ world: { storage } }).jobs.subscribe(() => {})

  expect(client.jobs.getSnapshot()).toEqual([])
  expect([...storage.texts.values()]).toEqual(['[]'])
})

// ── tabs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test('two tabs share one stream: the second one shows what the first one started', async () => {
  const storage = new TestStorage()
  let tell = (_: string) => {}
  server.on(`GET ${STREAM}`, (response) => {
    openStream(response).write(frame(SNAPSHOT, '1-2'))
    tell = (text) => void response.write(text)
  })
  const options = { shareTabs, scope: 'one', world: { storage, page: new TestPage() } }
  const first = open(options)
  await first.startDownload([1])
  await state('processing')

  const second = open(options)
  expect(await state('processing')).toMatchObject({ bytesDone: 20, isOwn: true })
  tell(frame(progress(60), '1-3'))
  expect(await until(second.job(ID), (job) => job?.bytesDone === 60)).toBeDefined()
  await mode('live')
  tell(frame(COMPLETED, '1-4'))

  expect(await second.ended(ID)).toMatchObject({ state: 'completed' })
  expect(server.count(`GET ${STREAM}`)).toBe(1)
})

test('when the tab that holds the stream is closed, another one goes on from its own place', async () => {
  server.on(`GET ${STREAM}`, (response, _, nth) => (nth === 1 ? void openStream(response).write(frame(SNAPSHOT, '1-2')) : whole(response)))
  const options = { shareTabs, scope: 'two', world: { page: new TestPage() } }
  const first = open(options)
  first.watch(ID)
  await state('processing')
  const second = open(options)
  second.watch(ID)
  await state('processing')

  first.close()

  expect(await second.ended(ID)).toMatchObject({ state: 'completed' })
  expect((await server.until(`GET ${STREAM}`, 2)).query.get('last_event_id')).toBe('1-2')
})

test('a tab keeps what it began when the list is full: only what a person took away goes', async () => {
  let made = 0
  server.on(`POST ${JOBS}`, (response, asked, nth) => json(202, { job_id: `job-${++made}`, status: 'queued' })(response, asked, nth))
  server.on(`GET ${STREAM}`, (response) => void openStream(response).write(heartbeat()))
  const options = { shareTabs, scope: 'full', world: { storage: new TestStorage(), page: new TestPage() }, limits: { rememberedJobs: 2 } }
  const first = open(options)
  const keys: string[] = []
  for (const file of [1, 2, 3]) keys.push((await first.startDownload([file])).key)
  const second = open(options)
  second.jobs.subscribe(() => {})

  second.dismiss(keys[2]!)
  await until(first.jobs, (jobs) => jobs.length === 2)

  expect(first.jobs.getSnapshot().map(({ key }) => key)).toEqual([keys[1], keys[0]])
})

test('what is withdrawn in one tab is withdrawn in the others, too', async () => {
  server.on(`POST ${JOBS}`, problem(503, 'DRAINING'))
  const options = { shareTabs, scope: 'three', world: { storage: new TestStorage(), page: new TestPage() }, limits: { backoffAtLeastMs: 600_000, backoffAtMostMs: 600_000 } }
  const first = open(options)
  const started = first.startDownload([1]).catch((reason: unknown) => reason)
  const second = open(options)
  const [row] = await until(second.jobs, (jobs) => jobs.length === 1)
  await server.until(`POST ${JOBS}`, 2)

  await first.cancel(row!.key)

  expect(await started).toMatchObject({ code: 'ABORTED' })
  expect(await until(second.jobs, (jobs) => jobs.length === 0)).toEqual([])
})

test('a message that ends everything leaves nothing of its stream behind', async () => {
  let isOver: () => void
  const over = new Promise<void>((resolve) => (isOver = resolve))
  server.on(`GET ${STREAM}`, (response) => {
    response.on('close', () => isOver())
    openStream(response).write(frame(SNAPSHOT, '1-2'))
    finish = () => void response.end(frame(COMPLETED, '1-3'))
  })
  let finish = () => {}
  const timers = new Set<object>()
  const after = (delayMs: number, action: () => void) => {
    const timer = setTimeout(() => (timers.delete(timer), action()), delayMs)
    timers.add(timer)
    return () => (timers.delete(timer), clearTimeout(timer))
  }
  open({ world: { after } })
  client.watch(ID)
  await state('processing')

  finish()
  await client.ended(ID)
  await over
  await new Promise((resolve) => setImmediate(resolve))

  expect(timers.size).toBe(0)
})
