/** Jobs for tests, as the client publishes them. */

import type { Job, JobCommon, ProcessingJob } from '../../src/client/types.ts'

export const NOW_MS = Date.parse('2026-11-23T10:30:00Z')

export function common(more: Partial<JobCommon> = {}): JobCommon {
  return {
    id: 'fead5426-8fa5-8000-b3d8-9a527058b42c',
    key: 'key-1',
    label: 'Report',
    request: { fileIds: [1, '2', 3] },
    isOwn: true,
    createdAt: NOW_MS,
    updatedAt: NOW_MS,
    attempt: 1,
    filesDone: 0,
    filesTotal: 3,
    bytesDone: 0,
    bytesTotal: null,
    progress: 0,
    isCancelling: false,
    isStale: false,
    ...more,
  }
}

export function queued(more: Partial<JobCommon> = {}): Job {
  return { ...common(more), state: 'queued' }
}

export function processing(more: Partial<ProcessingJob> = {}): ProcessingJob {
  return { ...common(), state: 'processing', phase: 'bundling', progressedAt: NOW_MS, ...more }
}

export function completed(more: Partial<JobCommon> = {}): Job {
  return {
    ...common({ progress: 1, ...more }),
    state: 'completed',
    downloadPath: '/file',
    sizeBytes: 10,
    crc32: null,
    expiresAt: NOW_MS + 60_000,
    skipped: [],
    skippedCount: 0,
  }
}

export function failed(canRetry: boolean, fileIds?: readonly number[], more: Partial<JobCommon> = {}): Job {
  const error = { code: fileIds ? 'SOURCE_MISSING' : 'STORE_FULL', message: 'No room', ...(fileIds && { fileIds }) }
  return { ...common(more), state: 'failed', canRetry, error }
}

export function cancelled(more: Partial<JobCommon> = {}): Job {
  return { ...common(more), state: 'cancelled', reason: '' }
}
