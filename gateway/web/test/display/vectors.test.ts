/** The display's arithmetic and sentences, against the numbers that the command line is tested with too. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

import { amount, percent, rate } from '../../src/display/amount.ts'
import { calmed, secondsLeft, type Calm } from '../../src/display/duration.ts'
import { moment } from '../../src/display/moment.ts'
import { connectionSentence, sentence, type ConnectionFacts, type Facts } from '../../src/display/sentences.ts'

type CalmStep = [number, number | null, boolean, number | null]
interface Vectors {
  seconds_left: { seconds: number | null; elapsed_seconds?: number; words: string | null }[]
  calm: { name: string; steps: CalmStep[] }[]
  amounts: [number, string][]
  percents: [number, number][]
  moments: { now: string; at: string; text: string }[]
  sentences: { facts: Record<string, unknown>; sentence: string }[]
  connections: { facts: Record<string, unknown>; sentence: string | null }[]
}

const path = new URL('../../../../tests/vectors/display.json', import.meta.url)
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors

function camel<T>(facts: Record<string, unknown>): T {
  const renamed = Object.entries(facts).map(([name, fact]) => [name.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), fact])
  return Object.fromEntries(renamed) as T
}

test.each(vectors.seconds_left)('$seconds s is $words', ({ seconds, elapsed_seconds, words }) => {
  expect(secondsLeft(seconds, elapsed_seconds)).toBe(words)
})

describe('a remaining time', () => {
  test.each(vectors.calm)('$name', ({ steps }) => {
    let calm: Calm | null = null
    const shown = steps.map(([nowMs, told, isLive]) => {
      calm = calmed(calm, told, nowMs, isLive)
      return calm?.shownSeconds ?? null
    })
    const wanted = steps.map(([, , , seconds]) => seconds)
    wanted.forEach((seconds, at) => {
      if (seconds === null) expect(shown[at]).toBeNull()
      else expect(shown[at]).toBeCloseTo(seconds, 9)
    })
  })
})

test.each(vectors.amounts)('%d bytes are %s', (bytes, text) => {
  expect(amount(bytes)).toBe(text)
  expect(rate(bytes)).toBe(`${text}/s`)
})

test.each(vectors.percents)('%d is %d %%', (ratio, whole) => {
  expect(percent(ratio)).toBe(whole)
})

test.each(vectors.moments)('at $now, $at is $text', ({ now, at, text }) => {
  expect(moment(new Date(at), new Date(now))).toBe(text)
})

test.each(vectors.sentences)('$sentence', ({ facts, sentence: wanted }) => {
  expect(sentence(camel<Facts>(facts))).toBe(wanted)
})

test.each(vectors.connections)('$facts.mode: $sentence', ({ facts, sentence: wanted }) => {
  expect(connectionSentence(camel<ConnectionFacts>(facts))).toBe(wanted)
})
