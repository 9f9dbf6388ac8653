import { afterEach, beforeEach, expect, test } from 'vitest'

import { DownloadClient, type Limits } from '../../src/client/index.ts'
import { type Asked, frame, json, openStream, problem, ScriptedServer } from '../support/scripted_server.ts'
import { QUICK } from '../support/worlds.ts'

const AT = '2026-11-27T12:00:00Z'
const ID = '0193a1b2-0000-8000-8000-000000000001'
const EVENTS = `GET /v1/download/jobs/${ID}/events`
const STREAM = 'GET /v1/download/stream'
const RECORD = { job_id: ID, status: 'processing', attempt: 1, progress: 0.2, created_at: AT, updated_at: AT }

const progress = (seq: number) => ({ id: `1-${seq}`, type: 'progress', at: AT, job_id: ID, bytes_processed: seq, total_bytes: 100 })

let server: ScriptedServer
let client: DownloadClient
/** How many events the server's log has. */
let logged: number

beforeEach(async () => {
  logged = 3
  server = await new ScriptedServer().start()
  server.on(EVENTS, (response, asked, nth) => json(200, page(asked))(response, asked, nth))
})

afterEach(async () => {
  client.close()
  await server.stop()
})

/** Two events, as the gateway gives them. */
function page({ query }: Asked): object {
  const after = Number(query.get('after')!.split('-')[1])
  const events = Array.from({ length: Math.min(2, logged - after) }, (_, place) => progress(after + 1 + place))
  return { events, next_after: events.at(-1)?.id ?? query.get('after'), has_more: after + events.length < logged }
}

function watch(limits: Partial<Limits> = {}): void {
  client = new DownloadClient({ baseUrl: server.url, limits: { ...QUICK, ...limits } })
  client.watch(ID)
}

const idsShown = () => client.events(ID).getSnapshot().map(({ id }) => id)

/** Wait until the log that is shown ends with this event, and look on unless it is `once`. */
function shownTo(id: string, once = false): Promise<void> {
  return new Promise((resolve) => {
    const stop = client.events(ID).subscribe(() => look())
    const look = () => {
      if (idsShown().at(-1) !== id) return
      resolve()
      if (once) stop()
    }
    look()
  })
}

test('the log of a job begins before anybody looked, and goes on with what is heard, each event once', async () => {
  let tell = (_: string) => {}
  server.on(STREAM, (response) => {
    openStream(response).write(frame({ ...RECORD, type: 'snapshot', at: AT }, '1-3'))
    tell = (text) => void response.write(text)
  })
  watch()

  await shownTo('1-3')
  for (const seq of [3, 4]) tell(frame(progress(seq), `1-${seq}`))
  await shownTo('1-4')

  expect(idsShown()).toEqual(['1-1', '1-2', '1-3', '1-4'])
})

test('where only records are polled, the log is read on from where it was', async () => {
  server.on(STREAM, problem(500, 'BROKEN'))
  server.on('GET /v1/download/jobs', (response, asked, nth) => json(200, { jobs: [{ ...RECORD, bytes_processed: nth }] })(response, asked, nth))
  watch()
  await shownTo('1-3')
  const asked = server.count(EVENTS)

  logged = 4
  await shownTo('1-4')

  expect(idsShown()).toEqual(['1-1', '1-2', '1-3', '1-4'])
  expect((await server.until(EVENTS, asked + 1)).query.get('after')).toBe('1-3')
})

test('a log that could not be read is read when there is a reason to look again', async () => {
  server.on(EVENTS, (response, asked, nth) => (nth === 1 ? problem(503, 'REDIS_UNAVAILABLE') : json(200, page(asked)))(response, asked, nth))
  server.on(STREAM, (response) => void openStream(response))
  watch()
  const stop = client.events(ID).subscribe(() => {})
  await server.until(EVENTS)
  stop()

  await shownTo('1-3')

  expect(idsShown()).toEqual(['1-1', '1-2', '1-3'])
})

test('what nobody looks at any more is forgotten, and read once more for whoever looks again', async () => {
  server.on(STREAM, (response) => void openStream(response))
  watch()
  const stop = client.events(ID).subscribe(() => {})
  await shownTo('1-3', true)

  stop()
  const kept = idsShown()
  await shownTo('1-3')

  expect(kept).toEqual([])
  expect(idsShown()).toEqual(['1-1', '1-2', '1-3'])
})

test('of a long log the last events are kept, and nothing is read while nobody looks', async () => {
  server.on(STREAM, (response) => void openStream(response).write(frame({ ...RECORD, type: 'snapshot', at: AT }, '1-3')))
  watch({ eventsKept: 2 })
  await server.until(STREAM)
  const unseen = server.count(EVENTS)

  await shownTo('1-3')

  expect(unseen).toBe(0)
  expect(idsShown()).toEqual(['1-2', '1-3'])
})
