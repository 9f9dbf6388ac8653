import { expect, test } from 'vitest'

import { LIMITS } from '../../src/client/limits.ts'
import { Memory, type Remembered } from '../../src/client/memory.ts'
import { TestStorage } from '../support/worlds.ts'

const entry = (key: string, createdAt = 0): Remembered => ({ key, id: null, request: { fileIds: [1] }, label: null, createdAt })
const nothing = () => false

test('what one tab keeps, another one reads; neither loses what the other wrote', () => {
  const storage = new TestStorage()
  const [one, other] = [new Memory(storage, 'n', LIMITS), new Memory(storage, 'n', LIMITS)]

  one.keep(entry('a', 1), nothing)
  other.keep(entry('b', 2), nothing)

  expect(one.entries().map(({ key }) => key)).toEqual(['b', 'a'])
})

test('the hundred newest are kept', () => {
  const memory = new Memory(new TestStorage(), 'n', LIMITS)

  for (let moment = 0; moment < 130; moment += 1) memory.keep(entry(String(moment), moment), nothing)

  expect(memory.entries()).toHaveLength(LIMITS.rememberedJobs)
  expect(memory.entries()[0]?.key).toBe('129')
})

test('of too many those that have ended go first, the oldest of them before the others', () => {
  const memory = new Memory(new TestStorage(), 'n', LIMITS)

  for (let moment = 0; moment <= LIMITS.rememberedJobs; moment += 1) memory.keep(entry(String(moment), moment), (key) => key === '7' || key === '9')

  const kept = memory.entries().map(({ key }) => key)
  expect(kept).toHaveLength(LIMITS.rememberedJobs)
  expect(kept).toEqual(expect.arrayContaining(['0', '9', '100']))
  expect(kept).not.toContain('7')
})

test.each([
  ['blocked', { getItem: () => fail(), setItem: () => fail() }],
  ['full', { getItem: () => null, setItem: () => fail() }],
  ['absent', null],
])('where storage is %s, the page remembers', (_, storage) => {
  const memory = new Memory(storage, 'n', LIMITS)

  memory.keep(entry('a'), nothing)

  expect(memory.entries().map(({ key }) => key)).toEqual(['a'])
})

test.each(['{"', '7', '[null, {"key": 7}, {"key": "k", "id": 3, "createdAt": 1, "request": null}]'])('what somebody else wrote there is no harm: %s', (text) => {
  const storage = new TestStorage()
  storage.setItem('n', text)

  expect(new Memory(storage, 'n', LIMITS).entries()).toEqual([])
})

function fail(): never {
  throw new DOMException('no', 'QuotaExceededError')
}
