import { expect, test } from 'vitest'

import { WaybillError } from '../../src/client/errors.ts'
import { problemSentences } from '../../src/display/problems.ts'

const error = (detail: string) => new WaybillError({ code: 'INVALID_REQUEST', status: 422, detail })

test('what to do is added where the server does not say it', () => {
  expect(problemSentences(error('The catalogue does not know file 4711.'))).toBe('The catalogue does not know file 4711. Change the request.')
})

test('advice is given once: what the server says to do is not said again in our words', () => {
  const detail = 'The request asks for 4,812 files; the limit is 1,000. Split it into several jobs.'

  expect(problemSentences(error(detail))).toBe(detail)
})
