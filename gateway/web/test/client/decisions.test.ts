import { expect, test } from 'vitest'

import { backoffMs, probeMs } from '../../src/client/backoff.ts'
import { compareIds, readVector, vector } from '../../src/client/event_id.ts'
import { LIMITS } from '../../src/client/limits.ts'
import { beginRate, bytesPerSecond, sampleRate } from '../../src/client/rate.ts'
import { ServerClock } from '../../src/client/server_clock.ts'

test('a wait is at least half a second and at most thirty, whatever is drawn', () => {
  expect(backoffMs(0, 0, LIMITS)).toBe(500)
  expect(backoffMs(3, 0.999, LIMITS)).toBeCloseTo(8_000, -2)
  expect(backoffMs(60, 0.999, LIMITS)).toBeLessThanOrEqual(30_000)
})

test('a wait is never shorter than the server asks for, and clients stay spread', () => {
  expect(backoffMs(0, 0, LIMITS, 12_000)).toBe(12_000)
  expect(backoffMs(0, 0.9, LIMITS, 12_000)).toBeGreaterThan(12_000)
})

test('probes come after 30, 60, 120 seconds, and never more rarely than after five minutes', () => {
  expect([0, 1, 2, 3, 9].map((probes) => probeMs(probes, LIMITS))).toEqual([30_000, 60_000, 120_000, 240_000, 300_000])
})

test('ids are compared as numbers, the epoch first', () => {
  expect(compareIds('1-10', '1-9')).toBeGreaterThan(0)
  expect(compareIds('2-11', '1-12')).toBeGreaterThan(0)
  expect(compareIds('0-1', null)).toBeGreaterThan(0)
  expect(compareIds('3-4', '3-4')).toBe(0)
})

test('a vector is read as it was written; a job that cannot be had has no place', () => {
  expect(vector(['1-5', null, '2-9'])).toBe('1-5.-.2-9')
  expect(readVector('1-5.-.x', 3)).toEqual(['1-5', null, null])
  expect(readVector('1-5.-', 3)).toBeNull()
})

test('the time is the server’s, also where the own clock is three hours off', () => {
  const serverMs = Date.UTC(2026, 10, 27, 12)
  const clock = new ServerClock({ nowMs: () => 5_000, wallMs: () => serverMs - 3 * 3_600_000 }, LIMITS)

  clock.heard(serverMs)

  expect(clock.nowMs()).toBe(serverMs)
})

test('one late answer does not move the clock', () => {
  const clock = new ServerClock({ nowMs: () => 0, wallMs: () => 0 }, LIMITS)

  for (const lateMs of [0, 20, 4_000, 10, 30]) clock.heard(1_000_000 - lateMs)

  expect(clock.nowMs()).toBe(1_000_000 - 20)
})

test('Date headers, which are cut to the second, do not let the clock step', () => {
  let nowMs = 0
  const clock = new ServerClock({ nowMs: () => nowMs, wallMs: () => 0 }, LIMITS)
  clock.heardDate(1_000_000)
  nowMs = 900

  clock.heardDate(1_000_000)

  expect(clock.nowMs()).toBe(1_000_000 + 500 + 900)
})

test('a moment that is named exactly takes the place of a Date header', () => {
  const clock = new ServerClock({ nowMs: () => 0, wallMs: () => 0 }, LIMITS)
  clock.heardDate(1_000_000)

  clock.heard(1_000_123)

  expect(clock.nowMs()).toBe(1_000_123)
})

test('after a sleep that the own clock did not see, the first word of the server counts', () => {
  const clock = new ServerClock({ nowMs: () => 0, wallMs: () => 0 }, LIMITS)
  for (let sample = 0; sample < 5; sample += 1) clock.heard(1_000_000)

  clock.heard(1_000_000 + 3_600_000)

  expect(clock.nowMs()).toBe(1_000_000 + 3_600_000)
})

test('a moment that cannot be read is ignored', () => {
  const clock = new ServerClock({ nowMs: () => 0, wallMs: () => 77 }, LIMITS)

  clock.heard(Date.parse('yesterday'))

  expect(clock.nowMs()).toBe(77)
})

test('a steady rate is told exactly from the third second on, and what was done before tells none', () => {
  let rate = beginRate(0, 500_000_000)
  const told = [1, 2, 3].map((second) => {
    rate = sampleRate(rate, second * 1_000, 500_000_000 + second * 10_000_000, LIMITS.rateHalfLifeMs)
    return bytesPerSecond(rate)
  })

  expect(told.slice(0, 2)).toEqual([undefined, undefined])
  expect(told[2]).toBeCloseTo(10_000_000)
})

test('after a half-life without a byte the rate is half', () => {
  let rate = beginRate(0, 0)
  for (let second = 1; second <= 200; second += 1) rate = sampleRate(rate, second * 1_000, second * 1_000, LIMITS.rateHalfLifeMs)

  rate = sampleRate(rate, 200_000 + LIMITS.rateHalfLifeMs, 200_000, LIMITS.rateHalfLifeMs)

  expect(bytesPerSecond(rate)).toBeCloseTo(500, 0)
})
