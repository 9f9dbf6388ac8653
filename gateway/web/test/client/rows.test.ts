import { expect, test } from 'vitest'

import { newJob } from '../../src/client/job.ts'
import { LIMITS } from '../../src/client/limits.ts'
import { Rows } from '../../src/client/rows.ts'
import { FakeClock } from '../support/fake_clock.ts'
import { stillWorld, TestPage } from '../support/worlds.ts'

const job = (id: string, createdAt = 0) => newJob({ key: id, id, label: null, request: null, isOwn: false, createdAt })

const later = (milliseconds: number) => new Date(Date.UTC(2026, 10, 27, 12) + milliseconds).toISOString()

function progress(percent: number) {
  return { type: 'progress', at: later(percent * 100), progress: percent / 100, bytes_processed: percent, total_bytes: 100, files_processed: 0, total_files: 1 }
}

function setUp(page: TestPage | null = null) {
  const clock = new FakeClock()
  const rows = new Rows(stillWorld(clock, { page }), LIMITS, () => {})
  const row = rows.add(job('a'), { isKnown: true })
  rows.take(row, '1-1', { type: 'started', at: '2026-11-27T12:00:00Z', attempt: 1 })
  let commits = 0
  rows.jobs.subscribe(() => (commits += 1))
  return { clock, rows, row, commits: () => commits }
}

test('ten events a second for ten seconds are at most 41 snapshots, and the last one is exact', () => {
  const { clock, rows, row, commits } = setUp()

  for (let event = 0; event < 100; event += 1) {
    clock.pass(100)
    rows.take(row, `1-${event + 2}`, progress(event))
  }
  clock.pass(LIMITS.publishEveryMs)

  expect(commits()).toBeGreaterThan(30)
  expect(commits()).toBeLessThanOrEqual(41)
  expect(rows.jobs.getSnapshot()[0]?.bytesDone).toBe(99)
})

test('a change of state is published at once', () => {
  const { clock, rows, row } = setUp()
  clock.pass(1_000)
  rows.take(row, '1-2', progress(1))

  rows.take(row, '1-3', { type: 'completed', at: '2026-11-27T12:00:00Z', download_url: '/f', expires_at: '2026-11-28T12:00:00Z' })

  expect(rows.jobs.getSnapshot()[0]?.state).toBe('completed')
})

test('a hidden page is told once a second', () => {
  const page = new TestPage()
  const { clock, rows, row, commits } = setUp(page)
  page.hidden = true

  for (let event = 0; event < 40; event += 1) {
    clock.pass(100)
    rows.take(row, `1-${event + 2}`, progress(event))
  }

  expect(commits()).toBeLessThanOrEqual(5)
})

test('a row in which nothing changed stays the same object', () => {
  const { clock, rows, row } = setUp()
  rows.add(job('b', 1), { isKnown: true })
  const still = rows.single('b').getSnapshot()
  let calls = 0
  rows.single('b').subscribe(() => (calls += 1))

  rows.take(row, '1-2', progress(5))
  clock.pass(1_000)

  expect(rows.jobs.getSnapshot().map(({ id }) => id)).toEqual(['b', 'a'])
  expect(rows.jobs.getSnapshot()[0]).toBe(still)
  expect(calls).toBe(0)
})

test('an event that is known already is dropped, so that two streams do no harm', () => {
  const { rows, row } = setUp()
  rows.take(row, '1-5', progress(50))

  const isNew = rows.take(row, '1-4', { type: 'retrying', at: '2026-11-27T12:00:00Z', attempt: 1, error: {}, retry_in_seconds: 1 })

  expect(isNew).toBe(false)
  expect(row.job.state).toBe('processing')
})

test('a snapshot with a gap begins anew, also at an older place', () => {
  const { rows, row } = setUp()
  rows.take(row, '1-9', progress(50))

  rows.take(row, '1-3', { type: 'snapshot', status: 'queued', gap: { from: '1-9', to: '1-3', missed: null } })

  expect(row).toMatchObject({ cursor: '1-3', job: { state: 'queued' } })
})

test('a polled record that says nothing new moves nothing', () => {
  const { rows, row } = setUp()
  const record = { type: 'snapshot', status: 'processing', attempt: 1, progress: 0.5, bytes_processed: 5, total_bytes: 10, updated_at: '2026-11-27T12:00:09Z' }
  rows.take(row, null, record)
  row.cursor = '1-7'
  const before = row.job

  rows.take(row, null, record)

  expect(row.job).toBe(before)
  expect(row.cursor).toBe('1-7')
})

test('after a polled record that is news the stream shall begin with a snapshot', () => {
  const { rows, row } = setUp()

  rows.take(row, null, { type: 'snapshot', status: 'processing', attempt: 1, progress: 0.5, bytes_processed: 5, total_bytes: 10 })

  expect(row.cursor).toBeNull()
})

test('a job that has ended by a polled record does not run again when its stream tells how it came there', () => {
  const { rows, row } = setUp()
  const states: (string | undefined)[] = []
  rows.single('a').subscribe(() => states.push(rows.single('a').getSnapshot()?.state))
  rows.take(row, null, { type: 'snapshot', status: 'completed', updated_at: later(5_000), expires_at: later(9_000) })

  rows.take(row, '1-2', progress(10))
  rows.take(row, '1-3', { type: 'completed', at: later(5_000), download_url: '/f' })
  rows.take(row, '2-4', { type: 'queued', at: later(6_000) })
  rows.take(row, '3-5', { type: 'started', at: later(7_000), attempt: 1 })

  expect(states).toEqual(['completed', 'queued', 'processing'])
})

test('the rate is measured here; what time is left is the server’s alone to say', () => {
  const { rows, row } = setUp()

  for (const second of [0, 1, 2, 3, 4, 5]) {
    rows.take(row, `1-${second + 2}`, { ...progress(0), at: later(second * 1_000), bytes_processed: second * 10, phase: 'bundling' })
  }

  expect(row.job).toMatchObject({ bytesPerSecond: expect.closeTo(10) as number, remainingSeconds: undefined })
})

test('unfinished rows are marked when they may be old, and only they', () => {
  const { rows } = setUp()
  rows.add({ ...job('b'), state: 'cancelled', reason: '' }, { isKnown: true })

  rows.setStale(true)

  expect(rows.jobs.getSnapshot().map(({ id, isStale }) => [id, isStale])).toEqual(expect.arrayContaining([['a', true], ['b', false]]))
})

test('a listener that throws is nobody else’s affair: the others hear, and so does whoever looks for uncaught errors', async () => {
  const { clock, rows, row } = setUp()
  const uncaught: unknown[] = []
  const watching = process.rawListeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => uncaught.push(error))
  const broken = new Error('broken')
  const stop = rows.single('a').subscribe(() => {
    throw broken
  })
  let heard = 0
  rows.single('a').subscribe(() => (heard += 1))
  clock.pass(1_000)

  rows.take(row, '1-2', progress(1))
  stop()
  await new Promise((resolve) => setImmediate(resolve))
  process.removeAllListeners('uncaughtException')
  for (const listener of watching) process.on('uncaughtException', listener as () => void)

  expect(heard).toBe(1)
  expect(uncaught).toEqual([broken])
})
