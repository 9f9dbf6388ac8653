/** What time it is for the server: all its times are shown against this clock, never against the computer's own. */

import type { Limits } from './limits.ts'
import type { World } from './world.ts'

export class ServerClock {
  readonly #world: Pick<World, 'nowMs' | 'wallMs'>
  readonly #limits: Limits
  #offsets: readonly number[] = []
  #isCoarse = false

  constructor(world: Pick<World, 'nowMs' | 'wallMs'>, limits: Limits) {
    this.#world = world
    this.#limits = limits
  }

  /** Learn from a moment that the server has just named, in milliseconds since 1970; what is no number is ignored. */
  heard(serverMs: number): void {
    this.#hear(serverMs, false)
  }

  /**
   * Learn from a Date header, which is cut to the second. It serves until something better is heard: a clock that
   * stepped with each answer would let a job look older than the one before it.
   */
  heardDate(serverMs: number): void {
    this.#hear(serverMs + HALF_A_SECOND_MS, true)
  }

  #hear(serverMs: number, isCoarse: boolean): void {
    const offset = serverMs - this.#world.nowMs()
    const isFirst = !this.#offsets.length
    const isJump = Math.abs(offset - median(this.#offsets)) > this.#limits.clockJumpMs
    if (Number.isNaN(offset) || (isCoarse && !isFirst && !isJump)) return
    const isNew = isJump || isCoarse || this.#isCoarse
    this.#offsets = isNew ? [offset] : [...this.#offsets, offset].slice(-this.#limits.clockSamples)
    this.#isCoarse = isCoarse
  }

  /** Milliseconds since 1970; by the computer's clock until the server has named a moment. */
  nowMs(): number {
    return this.#offsets.length ? this.#world.nowMs() + median(this.#offsets) : this.#world.wallMs()
  }
}

/** The mean of what a Date header has lost. */
const HALF_A_SECOND_MS = 500

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
