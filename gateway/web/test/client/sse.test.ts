import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { expect, test } from 'vitest'

import { FrameDecoder, FrameTooLong } from '../../src/client/sse.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function decode(pieces: readonly Uint8Array[]) {
  const decoder = new FrameDecoder(1_000_000)
  return pieces.flatMap((piece) => decoder.push(piece))
}

/** Numbers below `bound` that are the same in every run (mulberry32). */
function drawing(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

const TOKENS = ['data', 'id', 'event', 'retry', ':', ': ', '  ', 'x', '7', 'ü', '💡', '{"a":1}', '\n', '\n', '\n\n', '\r\n', '\r\n\r\n', 'data: a\n', 'data: a', '\ndata:b\n', '\n\n', 'id: 1-2', 'event: heartbeat', 'junk', ':comment']

function randomDocument(draw: (bound: number) => number): string {
  return Array.from({ length: 1 + draw(40) }, () => TOKENS[draw(TOKENS.length)]!).join('') + '\n\n'
}

function randomPieces(text: string, draw: (bound: number) => number): Uint8Array[] {
  const whole = bytes(text)
  const pieces: Uint8Array[] = []
  for (let from = 0; from < whole.length; ) {
    const to = Math.min(whole.length, from + 1 + draw(7))
    pieces.push(whole.slice(from, to))
    from = to
  }
  return pieces
}

/** What eventsource-parser makes of the whole text. */
function oracle(text: string) {
  const found: EventSourceMessage[] = []
  createParser({ onEvent: (event) => found.push(event) }).feed(text)
  return found.map(({ event, data, id }) => ({ event: event || 'message', data, ...(id === undefined ? {} : { id }) }))
}

test('decodes 3,000 random streams, cut anywhere, as eventsource-parser does in one piece', () => {
  const draw = drawing(20261127)
  let frames = 0
  for (let round = 0; round < 3_000; round += 1) {
    const text = randomDocument(draw)

    const found = decode(randomPieces(text, draw))

    expect(found, JSON.stringify(text)).toEqual(oracle(text))
    frames += found.length
  }
  expect(frames).toBeGreaterThan(3_000)
})

test('a line that ends with a lone carriage return is a line, also at the end of a piece', () => {
  expect(decode([bytes('data: a\r'), bytes('data: b\r'), bytes('\r')])).toEqual([{ event: 'message', data: 'a\nb' }])
})

test('a line end that is cut in two is one line end', () => {
  expect(decode([bytes('data: a\r'), bytes('\ndata: b\r'), bytes('\n\r'), bytes('\n')])).toEqual([{ event: 'message', data: 'a\nb' }])
})

test('an id belongs to its own frame alone', () => {
  const [first, second] = decode([bytes('data: a\nid: 1-1\n\ndata: b\n\n')])

  expect(first?.id).toBe('1-1')
  expect(second?.id).toBeUndefined()
})

test('a byte order mark is no part of the first line', () => {
  expect(decode([new Uint8Array([0xef, 0xbb]), new Uint8Array([0xbf]), bytes('data: a\n\n')])).toHaveLength(1)
})

test('the last retry of the stream is told in milliseconds, and one that is no number is ignored', () => {
  const decoder = new FrameDecoder(1_000)

  decoder.push(bytes('retry: 700\ndata: a\n\nretry: soon\ndata: b\n\n'))

  expect(decoder.retryMs).toBe(700)
})

test.each(['data: ' + 'x'.repeat(200), 'data: x\n'.repeat(40)])('a frame that never ends is given up', (text) => {
  expect(() => new FrameDecoder(100).push(bytes(text))).toThrow(FrameTooLong)
})
