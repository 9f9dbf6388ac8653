import { expect, test } from 'vitest'

import { factsOf } from '../../src/react/facts.ts'
import { completed, common, NOW_MS, processing } from './jobs.ts'

const nowMs = NOW_MS + 20_000

test('silence counts from the last progress, and not while nothing is heard', () => {
  expect(factsOf(processing(), { nowMs }).quietSeconds).toBe(20)
  expect(factsOf(processing({ isStale: true }), { nowMs }).quietSeconds).toBe(0)
})

test('an archive has the name under which it will be saved', () => {
  const named = (archiveName: string) => completed({ request: { fileIds: [1], archiveName } })

  expect(factsOf(named('report'), { nowMs }).name).toBe('report.zip')
  expect(factsOf(named('Report.ZIP'), { nowMs }).name).toBe('Report.ZIP')
  expect(factsOf(completed(), { nowMs }).name).toBe('waybill-fead5426.zip')
  expect(factsOf(completed({ request: null }), { nowMs }).name).toBeUndefined()
})

test('a job that the server forgot is told apart from one that was removed', () => {
  expect(factsOf({ ...common(), state: 'gone', reason: 'unknown' }, { nowMs }).state).toBe('lost')
  expect(factsOf({ ...common(), state: 'gone', reason: 'removed' }, { nowMs }).state).toBe('gone')
})

test('what waits for its time says how long', () => {
  const error = { code: 'X', message: 'x' }

  expect(factsOf({ ...common(), state: 'retrying', error, retryAt: nowMs + 12_000 }, { nowMs }).retryInSeconds).toBe(12)
})

test('a start is told until its moment is over', () => {
  const queued = (startsAt: number) => factsOf({ ...common(), state: 'queued', startsAt }, { nowMs })

  expect(queued(nowMs + 5_000).startsInSeconds).toBe(5)
  expect(queued(nowMs - 1).startsInSeconds).toBeUndefined()
})
