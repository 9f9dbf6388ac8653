/** The reading end of Server-Sent Events (WHATWG HTML §9.2.6): bytes in, frames out. Pure; it must never lose a byte. */

export interface Frame {
  /** `message` where the frame has no `event:` line. */
  readonly event: string
  readonly data: string
  /** Of this frame itself; undefined where it has none. */
  readonly id?: string
}

export class FrameTooLong extends Error {}

/** One stream's decoder. `push()` may be given any pieces: they are cut within characters and within line ends. */
export class FrameDecoder {
  /** The last `retry:` of the stream, in milliseconds. */
  retryMs: number | undefined
  readonly #text = new TextDecoder()
  readonly #maxChars: number
  #rest = ''
  #chars = 0
  #mayBeSecondHalf = false
  #data: string[] = []
  #event = ''
  #id: string | undefined

  constructor(maxChars: number) {
    this.#maxChars = maxChars
  }

  /** Give the frames that are whole now; throws FrameTooLong. */
  push(bytes: Uint8Array): Frame[] {
    let text = this.#text.decode(bytes, { stream: true })
    // The line ended with \r at the end of the last piece; a \n now belongs to it.
    if (this.#mayBeSecondHalf && text) {
      if (text[0] === '\n') text = text.slice(1)
      this.#mayBeSecondHalf = false
    }
    const frames: Frame[] = []
    let start = 0
    for (const end of text.matchAll(/\r\n|\r|\n/g)) {
      const line = this.#rest + text.slice(start, end.index)
      this.#rest = ''
      start = end.index + end[0].length
      this.#mayBeSecondHalf = end[0] === '\r' && start === text.length
      this.#take(line, frames)
    }
    this.#rest += text.slice(start)
    if (this.#chars + this.#rest.length > this.#maxChars) throw new FrameTooLong()
    return frames
  }

  #take(line: string, frames: Frame[]): void {
    if (line === '') return this.#dispatch(frames)
    this.#chars += line.length
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#event = value
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) this.retryMs = Number(value)
  }

  #dispatch(frames: Frame[]): void {
    if (this.#data.length) {
      const frame = { event: this.#event || 'message', data: this.#data.join('\n') }
      frames.push(this.#id === undefined ? frame : { ...frame, id: this.#id })
    }
    this.#data = []
    this.#event = ''
    this.#id = undefined
    this.#chars = 0
  }
}
