import { expect, test } from 'vitest'

import { goneJob, type Message, newJob, told } from '../../src/client/job.ts'
import type { Job } from '../../src/client/types.ts'

const AT = '2026-11-27T12:00:00Z'
const CREATED = newJob({ key: 'k', id: 'j', label: null, request: { fileIds: [1, 2], archiveName: 'report.zip' }, isOwn: true, createdAt: 7 })
const PROGRESS = { type: 'progress', at: AT, files_processed: 1, total_files: 2, bytes_processed: 50, total_bytes: 100, progress: 0.5 }

const after = (...events: Message[]): Job => events.reduce(told, CREATED)

test('a job goes through its events', () => {
  const states = [
    { type: 'started', at: AT, attempt: 1 },
    PROGRESS,
    { type: 'retrying', at: AT, attempt: 1, max_attempts: 3, error: { code: 'SOURCE_CHANGED', message: 'It changed.' }, retry_in_seconds: 12 },
    { type: 'started', at: AT, attempt: 2 },
    { type: 'completed', at: AT, download_url: '/f', files: 1, archive_bytes: 120, archive_crc32: 'ab', expires_at: '2026-11-28T12:00:00Z', skipped_files: 1, skipped: [{ file_id: 2, name: null, reason: 'unknown' }] },
  ]

  const seen = states.map((_, count) => after(...states.slice(0, count + 1)))

  expect(seen.map(({ state }) => state)).toEqual(['processing', 'processing', 'retrying', 'processing', 'completed'])
  expect(seen[1]).toMatchObject({ phase: 'planning', progress: 0.5, bytesDone: 50, bytesTotal: 100, filesDone: 1, attempt: 1 })
  expect(seen[2]).toMatchObject({ retryAt: Date.parse(AT) + 12_000, maxAttempts: 3, error: { code: 'SOURCE_CHANGED' } })
  expect(seen[4]).toMatchObject({
    progress: 1, attempt: 2, downloadPath: '/f', sizeBytes: 120, crc32: 'ab', skippedCount: 1,
    expiresAt: Date.parse('2026-11-28T12:00:00Z'), skipped: [{ fileId: 2, name: null, reason: 'unknown' }],
  })
})

test('progress never falls, whatever a later run says', () => {
  const job = after(PROGRESS, { type: 'started', at: AT, attempt: 2 }, { ...PROGRESS, bytes_processed: 10, progress: 0.1, files_processed: 0 })

  expect(job).toMatchObject({ progress: 0.5, bytesDone: 50, filesDone: 1 })
})

test('a snapshot of another history may fall', () => {
  const snapshot = { ...PROGRESS, type: 'snapshot', status: 'processing', progress: 0.1, bytes_processed: 10, gap: { from: '1-9', to: '1-3', missed: null } }

  expect(after(PROGRESS, snapshot)).toMatchObject({ progress: 0.1, bytesDone: 10 })
})

test('while files are looked up progress is indeterminate, not 0', () => {
  expect(after({ type: 'started', at: AT, attempt: 1 }).progress).toBeNull()
})

test('the phase stays until the server names another', () => {
  const job = after({ type: 'started', at: AT, attempt: 1 }, { ...PROGRESS, phase: 'bundling' }, PROGRESS)

  expect(job).toMatchObject({ phase: 'bundling' })
})

test('the file in hand is told, other messages are not', () => {
  expect(after({ ...PROGRESS, message: 'Bundling a b.pdf' })).toMatchObject({ currentFile: 'a b.pdf' })
  expect(after({ ...PROGRESS, message: 'Checking 2 files' })).toMatchObject({ currentFile: undefined })
})

test('the moment of the last progress stays while nothing moves', () => {
  const still = { ...PROGRESS, at: '2026-11-27T12:00:20Z' }

  expect(after({ type: 'started', at: AT, attempt: 1 }, PROGRESS, still)).toMatchObject({ progressedAt: Date.parse(AT), updatedAt: Date.parse(still.at) })
})

test('a failed job says whether another try may help', () => {
  const error = { code: 'SOURCE_MISSING', message: 'File 2 is missing.', file_ids: [2] }

  expect(after({ type: 'error', at: AT, error, can_retry: false })).toMatchObject({ state: 'failed', canRetry: false, error: { code: 'SOURCE_MISSING', fileIds: [2] } })
})

test('a record says its name, and whether another try may help', () => {
  const error = { code: 'INTERNAL', message: 'It broke.' }

  expect(told({ ...CREATED, label: null }, { status: 'failed', error, can_retry: false, archive_name: 'holiday' })).toMatchObject({ canRetry: false, label: 'holiday' })
  expect(told({ ...CREATED, label: 'mine' }, { status: 'queued', archive_name: 'holiday' })).toMatchObject({ label: 'mine' })
})

test('a waiting job starts so long after the moment of its snapshot', () => {
  expect(told(CREATED, { status: 'queued', at: AT, starts_in_seconds: 30 })).toMatchObject({ startsAt: Date.parse(AT) + 30_000 })
  expect(told(CREATED, { status: 'queued', starts_in_seconds: 30 })).toMatchObject({ startsAt: undefined })
})

test('what is not known is ignored', () => {
  const job = after(PROGRESS)

  expect(told(job, { type: 'news', at: AT, progress: 1 })).toBe(job)
  expect(told(job, { status: 'dreaming' })).toBe(job)
})

test('a record with nulls and without members is taken', () => {
  expect(told(CREATED, { status: 'queued', queue_position: 3, total_bytes: null, error: null })).toMatchObject({ state: 'queued', position: 3, bytesTotal: null })
})

test('a gone job keeps what was asked for, so that it can be made again', () => {
  expect(goneJob(CREATED, 'removed', 9)).toMatchObject({ state: 'gone', reason: 'removed', request: CREATED.request, label: 'report.zip' })
})
