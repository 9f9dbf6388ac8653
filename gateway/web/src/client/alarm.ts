/** One thing that is to happen later: another time for it replaces the one before. */

import type { World } from './world.ts'

export class Alarm {
  /** When it goes off, by `nowMs()`; null while it is not set. */
  atMs: number | null = null
  readonly #world: World
  #forget = () => {}

  constructor(world: World) {
    this.#world = world
  }

  set(delayMs: number, action: () => void): void {
    this.#forget()
    this.atMs = this.#world.nowMs() + delayMs
    this.#forget = this.#world.after(delayMs, () => {
      this.atMs = null
      action()
    })
  }

  clear(): void {
    this.#forget()
    this.atMs = null
  }
}
