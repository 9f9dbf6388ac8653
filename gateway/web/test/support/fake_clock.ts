/** A clock that stands until it is told to go on; its timers run in their order. */

interface Timer {
  readonly atMs: number
  readonly action: () => void
}

export class FakeClock {
  nowMs = 0
  #timers: Timer[] = []

  readonly after = (delayMs: number, action: () => void): (() => void) => {
    const timer = { atMs: this.nowMs + delayMs, action }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Let so many milliseconds pass. */
  pass(milliseconds: number): void {
    const endMs = this.nowMs + milliseconds
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((one, other) => one.atMs - other.atMs)[0]
      if (!due) break
      this.#timers = this.#timers.filter((other) => other !== due)
      this.nowMs = Math.max(this.nowMs, due.atMs)
      due.action()
    }
    this.nowMs = endMs
  }
}
