/** A value that is published: what React's `useSyncExternalStore` takes. */

import type { Readable } from './types.ts'

export class Observed<T> implements Readable<T> {
  readonly #listeners = new Set<() => void>()
  readonly #onObserved: (isObserved: boolean) => void
  #value: T

  /** `onObserved` hears when the first listener comes, and when the last one goes. */
  constructor(value: T, onObserved: (isObserved: boolean) => void = () => {}) {
    this.#value = value
    this.#onObserved = onObserved
  }

  get isObserved(): boolean {
    return this.#listeners.size > 0
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // Of its own, or subscribing one function twice would end both at once.
    const own = () => listener()
    this.#listeners.add(own)
    if (this.#listeners.size === 1) this.#onObserved(true)
    return () => {
      if (this.#listeners.delete(own) && !this.#listeners.size) this.#onObserved(false)
    }
  }

  readonly getSnapshot = (): T => this.#value

  publish(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const listener of [...this.#listeners]) tell(listener)
  }
}

/** What a listener throws is uncaught, as of any event: whoever published it would take it for an error of its own. */
function tell(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
