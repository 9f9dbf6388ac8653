import { expect, test } from 'vitest'

import { failedNaming } from '../../src/react/file_names.ts'

const names = new Map([
  [7, 'a.txt'],
  [8, 'b.txt'],
])
const failed = failedNaming((id) => names.get(id))
const missing = { state: 'failed', errorCode: 'SOURCE_MISSING' } as const

test('a missing file has its id and its name', () => {
  expect(failed({ ...missing, fileIds: [7] })).toBe('File 7 (a.txt) does not exist any more.')
  expect(failed({ ...missing, fileIds: [7, 8] })).toBe('Files 7 (a.txt) and 8 (b.txt) do not exist any more.')
})

test('of many the known names stand among the ids', () => {
  expect(failed({ ...missing, fileIds: [9, 8, 10, 11] })).toBe('Files 9, 8 (b.txt) and 2 more do not exist any more.')
})

test('what nobody knows by name keeps its id alone', () => {
  expect(failed({ ...missing, fileIds: [9] })).toBe('File 9 does not exist any more.')
  expect(failed({ state: 'failed', reason: 'It broke.' })).toBe('It broke.')
})

test("behind the server's own words stands what the ids in them are called", () => {
  const facts = { state: 'failed', errorCode: 'SOURCE_ARCHIVED', reason: '1 file is archived: 8.', fileIds: [8] } as const

  expect(failed(facts)).toBe('1 file is archived: 8. 8 is b.txt.')
})
