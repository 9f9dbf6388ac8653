import { expect, test } from 'vitest'

import { scopeOf } from '../../src/page/api_key.ts'

test('two keys share no jobs, and a scope tells no secret', () => {
  const secret = 'f'.repeat(64)

  expect(scopeOf(null)).toBe('')
  expect(scopeOf(`wb_0123456789abcdef_${secret}`)).toBe('0123456789abcdef')
  expect(scopeOf('eyJhbGciOi.first')).not.toBe(scopeOf('eyJhbGciOi.second'))
  expect(scopeOf('eyJhbGciOi.first')).toMatch(/^[0-9a-f]{8}$/)
})
