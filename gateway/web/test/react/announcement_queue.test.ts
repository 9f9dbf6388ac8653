import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { AnnouncementQueue } from '../../src/react/announcement_queue.ts'
import { englishMessages } from '../../src/react/messages.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

function queueOf(said: string[]) {
  const queue = new AnnouncementQueue((text) => said.push(text))
  queue.messages = englishMessages
  return queue
}

const news = (key: string, text: string) => [{ key, text, word: 'Ready', isUrgent: false }]

test('the first is said at once, and what comes within five seconds after it together', () => {
  const said: string[] = []
  const queue = queueOf(said)

  queue.tell(news('a', 'first'))
  queue.tell(news('b', 'second'))
  vi.advanceTimersByTime(4_000)
  queue.tell(news('c', 'third'))

  expect(said).toEqual(['first'])
  vi.advanceTimersByTime(1_000)
  expect(said).toEqual(['first', 'second third'])
})

test('twenty jobs with news all the time are at most twelve messages a minute', () => {
  const said: string[] = []
  const queue = queueOf(said)

  for (let at = 0; at < 600; at += 1) {
    queue.tell(news(`job ${at % 20}`, `news ${at}`))
    vi.advanceTimersByTime(100)
  }

  expect(said.length).toBeGreaterThan(6)
  expect(said.length).toBeLessThanOrEqual(13) // the one at the minute's very beginning, and twelve
})

test('what holds no more is taken back, said or not', () => {
  const said: string[] = []
  const queue = queueOf(said)
  queue.tell([...news('a', 'first'), ...news('b', 'second')])
  queue.tell(news('c', 'third'))

  queue.retract(({ key }) => key === 'b')
  expect(said).toEqual(['first second'])

  queue.retract(() => false)
  vi.advanceTimersByTime(5_000)
  expect(said).toEqual(['first second', ''])
})
