import { expect, test } from 'vitest'

import { readIds } from '../../src/page/ids.ts'

test.each([
  ['70000', [70000]],
  ['70000, 70002;70001\n70000', [70000, 70002, 70001]],
  ['70000-70003 1–2', [70000, 70001, 70002, 70003, 1, 2]],
])('%j is read as %j', (text, ids) => {
  expect(readIds(text)).toEqual({ ids })
})

test.each([
  ['', 'Choose at least one file.'],
  ['1 2x 3', '“2x” (word 2) is not a file id. Ids are whole numbers, like 70000.'],
  ['-5', '“-5” (word 1) is not a file id. Ids are whole numbers, like 70000.'],
  ['9007199254740993', '“9007199254740993” (word 1) is not a file id. Ids are whole numbers, like 70000.'],
  ['9-3', '“9-3” (word 1) goes backwards. Write 3-9.'],
  ['1-1001', '1,001 files; at most 1,000 per archive. Split the request.'],
  ['1-9007199254740991', '9,007,199,254,740,991 files; at most 1,000 per archive. Split the request.'],
])('%j is refused with what to do', (text, problem) => {
  expect(readIds(text)).toEqual({ problem })
})
