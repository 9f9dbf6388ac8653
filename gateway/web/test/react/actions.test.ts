import { expect, test } from 'vitest'

import { actionsOf, idsWithout } from '../../src/react/actions.ts'
import { cancelled, completed, failed, processing } from './jobs.ts'

const ABLE = { canCopy: true, canChangeSelection: true }

test('a running job can be cancelled, a completed one fetched', () => {
  expect(actionsOf(processing(), ABLE)).toEqual(['cancel'])
  expect(actionsOf(completed(), ABLE)).toEqual(['download', 'copyLink', 'remove'])
  expect(actionsOf(completed(), { ...ABLE, canCopy: false })).toEqual(['download', 'remove'])
})

test('the way out of a failure comes first', () => {
  expect(actionsOf(failed(true), ABLE)).toEqual(['tryAgain', 'remove'])
  expect(actionsOf(failed(false), ABLE)).toEqual(['changeSelection', 'remove'])
  expect(actionsOf(failed(false, [2]), ABLE)).toEqual(['startWithout', 'changeSelection', 'tryAgain', 'remove'])
})

test('a file that was missing may be there now', () => {
  expect(actionsOf(failed(false, [1, 2, 3]), { ...ABLE, canChangeSelection: false })).toEqual(['tryAgain', 'remove'])
})

test('who does not know what was asked for cannot ask for it again', () => {
  expect(actionsOf(cancelled(), ABLE)).toEqual(['startAgain', 'remove'])
  expect(actionsOf(cancelled({ request: null }), ABLE)).toEqual(['remove'])
  expect(actionsOf(failed(false, [2], { request: null }), ABLE)).toEqual(['tryAgain', 'remove'])
})

test('the files at fault are left out, and with none left it is no way out', () => {
  expect(idsWithout(failed(false, [2]))).toEqual([1, 3])
  expect(idsWithout(failed(false, [1, 2, 3]))).toEqual([])
  expect(idsWithout(failed(false))).toEqual([])
})
