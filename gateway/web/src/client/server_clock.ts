/** What time it is for the server: all its times are shown against this clock, never against the computer's own. */

import type { Limits } from './limits.ts'

export class ServerClock {
  readonly #limits: Limits
  readonly #nowMs: () => number
  readonly #wallMs: () => number
  #offsets: number[] = []
  #isCoarse = false

  constructor(nowMs: () => number, wallMs: () => number, limits: Limits) {
    this.#nowMs = nowMs
    this.#wallMs = wallMs
    this.#limits = limits
  }

  /** Learn from a moment that the server has just named, in milliseconds since 1970; what is no number is ignored. */
  heard(serverMs: number): void {
    if (!Number.isFinite(serverMs)) return
    const offset = serverMs - this.#nowMs()
    const isNew = this.#isCoarse || this.#isJump(offset)
    this.#isCoarse = false
    this.#offsets = isNew ? [offset] : [...this.#offsets, offset].slice(-this.#limits.clockSamples)
  }

  /**
   * Learn from a Date header, which is cut to the second. It serves until something better is heard: a clock that
   * stepped with each answer would let a job look older than the one before it.
   */
  heardDate(serverMs: number): void {
    if (!Number.isFinite(serverMs)) return
    const offset = serverMs + HALF_A_SECOND_MS - this.#nowMs()
    if (this.#offsets.length && !this.#isJump(offset)) return
    this.#isCoarse = true
    this.#offsets = [offset]
  }

  #isJump(offset: number): boolean {
    return this.#offsets.length > 0 && Math.abs(offset - median(this.#offsets)) > this.#limits.clockJumpMs
  }

  /** Milliseconds since 1970; by the computer's clock until the server has named a moment. */
  nowMs(): number {
    return this.#offsets.length ? this.#nowMs() + median(this.#offsets) : this.#wallMs()
  }
}

/** The mean of what a Date header has lost. */
const HALF_A_SECOND_MS = 500

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
