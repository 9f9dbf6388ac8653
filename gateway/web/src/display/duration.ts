/** Durations in words, and a remaining time that stays calm. Pure: `nowMs` is passed in. */

import { counted } from './amount.ts'
import {
  SHOWN_FALL_AT_ONCE_SECONDS,
  SHOWN_FALL_RATIO,
  SHOWN_FROM_SECONDS,
  SHOWN_RISE_AFTER_MS,
  SHOWN_RISE_RATIO,
  SHOWN_RISE_SECONDS,
} from './limits.ts'

const MINUTE = 60
const HOUR = 3_600
const DAY = 86_400

/** Say a duration, the coarser the longer: `a few seconds`, `about 1 hour 20 minutes`. */
export function about(seconds: number): string {
  if (seconds < 10) return 'a few seconds'
  const fives = toStep(seconds, 5)
  if (fives < MINUTE) return `about ${fives} seconds`
  const halves = toStep(seconds, 30)
  if (halves < 3 * MINUTE) {
    return `about ${joined([Math.floor(halves / MINUTE), 'minute'], [halves % MINUTE, 'second'])}`
  }
  const minutes = toStep(seconds, MINUTE)
  if (minutes < HOUR) return `about ${minutes / MINUTE} minutes`
  const tens = toStep(seconds, 10 * MINUTE)
  if (tens >= DAY) return 'more than a day'
  return `about ${joined([Math.floor(tens / HOUR), 'hour'], [(tens % HOUR) / MINUTE, 'minute'])}`
}

/** Say what is left: `about 40 seconds left`; null when nothing is known, or the whole is too short to speak of. */
export function secondsLeft(seconds: number | null | undefined, elapsedSeconds = Infinity): string | null {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return null
  return elapsedSeconds + seconds < SHOWN_FROM_SECONDS ? null : `${about(seconds)} left`
}

function toStep(seconds: number, step: number): number {
  return Math.floor(seconds / step + 0.5) * step
}

function joined(...parts: readonly (readonly [number, string])[]): string {
  return parts
    .filter(([count]) => count > 0)
    .map(([count, noun]) => counted(count, noun))
    .join(' ')
}

/** A remaining time as it is shown, and what was last told of it. `risesSinceMs`: since when it should be more. */
export interface Calm {
  readonly shownSeconds: number
  readonly toldSeconds: number
  readonly atMs: number
  readonly risesSinceMs: number | null
}

/**
 * The next moment of a remaining time: it counts down by itself, falls gently and rises late.
 *
 * `toldSeconds` is news, null is none since the last call; while the connection is not live nothing moves.
 */
export function calmed(calm: Calm | null, toldSeconds: number | null, nowMs: number, isLive = true): Calm | null {
  if (calm === null) {
    return toldSeconds === null ? null : showing(Math.max(1, toldSeconds), toldSeconds, nowMs)
  }
  if (!isLive) return { ...calm, atMs: nowMs, risesSinceMs: null }
  const passedSeconds = Math.max(0, nowMs - calm.atMs) / 1_000
  const told = toldSeconds ?? Math.max(0, calm.toldSeconds - passedSeconds)
  const shown = calm.shownSeconds - passedSeconds
  if (told <= shown) return showing(Math.max(1, fallen(calm.shownSeconds, told, passedSeconds)), told, nowMs)
  if (told <= SHOWN_RISE_RATIO * Math.max(1, shown) + SHOWN_RISE_SECONDS) {
    return showing(Math.max(1, shown), told, nowMs)
  }
  const sinceMs = calm.risesSinceMs ?? nowMs
  if (nowMs - sinceMs >= SHOWN_RISE_AFTER_MS) return showing(told, told, nowMs)
  return showing(Math.max(1, shown), told, nowMs, sinceMs)
}

function showing(shownSeconds: number, toldSeconds: number, atMs: number, risesSinceMs: number | null = null): Calm {
  return { shownSeconds, toldSeconds, atMs, risesSinceMs }
}

function fallen(shownSeconds: number, toldSeconds: number, passedSeconds: number): number {
  if (shownSeconds - toldSeconds >= SHOWN_FALL_AT_ONCE_SECONDS) return toldSeconds
  return Math.max(toldSeconds, shownSeconds - SHOWN_FALL_RATIO * passedSeconds)
}
