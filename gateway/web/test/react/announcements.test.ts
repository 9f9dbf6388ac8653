import { expect, test } from 'vitest'

import type { Job } from '../../src/client/types.ts'
import { merged, newsOf } from '../../src/react/announcements.ts'
import { englishMessages as messages } from '../../src/react/messages.ts'
import { completed, failed, NOW_MS, processing, queued } from './jobs.ts'

function news(before: readonly Job[], after: readonly Job[], startedHere: readonly string[] = []) {
  return newsOf(before, after, { messages, nowMs: NOW_MS, startedHere: new Set(startedHere) })
}

test('a change of state is told with the name of the job', () => {
  expect(news([queued()], [processing()]).map(({ text }) => text)).toEqual(['Report: Preparing.'])
  expect(news([processing()], [completed()])[0]?.text).toMatch(/^Report: Ready: waybill-fead5426\.zip, 10 B\./)
})

test('what was there when the page came is no news', () => {
  expect(news([], [completed()])).toEqual([])
})

test('progress that ticks is not told', () => {
  expect(news([processing({ progress: 0.26 })], [processing({ progress: 0.49 })])).toEqual([])
})

test('a single running job tells its quarters, and one among several does not', () => {
  const [before, after] = [processing({ progress: 0.49 }), processing({ progress: 0.51 })]

  expect(news([before], [after]).map(({ text }) => text)).toEqual(['Report: 50 percent.'])
  expect(news([before, queued({ key: 'other' })], [after, queued({ key: 'other' })])).toEqual([])
})

test('a failure is urgent where the job was started in this tab', () => {
  expect(news([processing()], [failed(true)], ['key-1'])[0]?.isUrgent).toBe(true)
  expect(news([processing()], [failed(true)])[0]?.isUrgent).toBe(false)
})

test('of many jobs it is told how many are where, of one its newest news', () => {
  const jobs = ['a', 'b', 'c'].map((key) => ({ before: processing({ key }), after: completed({ key }) }))
  const told = news(jobs.map(({ before }) => before), jobs.map(({ after }) => after))

  expect(merged(told, messages)).toBe('3 downloads: Ready.')
  const lost = { key: 'connection', text: 'Connection lost.', word: null, isUrgent: false }
  expect(merged([...told, lost], messages)).toBe('Connection lost. 3 downloads: Ready.')
  expect(merged([{ key: 'a', text: 'old', word: 'x', isUrgent: false }, { ...told[0]!, text: 'new' }], messages)).toBe('new')
})
