/** Worlds for tests: nothing of the browser but what a test puts there. */

import { LIMITS, type Limits } from '../../src/client/limits.ts'
import type { PageEvent, World } from '../../src/client/world.ts'
import { FakeClock } from './fake_clock.ts'

/** A world whose time only passes when the test says so, and whose random numbers are all `random`. */
export function stillWorld(clock: FakeClock, more: Partial<World> = {}, random = 0): World {
  let keys = 0
  return {
    nowMs: () => clock.nowMs,
    wallMs: () => clock.nowMs,
    random: () => random,
    newKey: () => `key-${++keys}`,
    after: clock.after,
    fetch: () => Promise.reject(new Error('there is no network in this test')),
    storage: null,
    page: null,
    channel: () => null,
    ...more,
  }
}

/** A page whose visibility and events the test decides. */
export class TestPage {
  saved: string[] = []
  hidden = false
  offline = false
  readonly #listeners = new Set<(event: PageEvent) => void>()

  isHidden = () => this.hidden
  isOffline = () => this.offline
  save = (url: string) => void this.saved.push(url)
  listen = (listener: (event: PageEvent) => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(event: PageEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

/** What `localStorage` does, as far as the client uses it; several clients may share it as tabs do. */
export class TestStorage {
  readonly texts = new Map<string, string>()
  getItem = (name: string) => this.texts.get(name) ?? null
  setItem = (name: string, text: string) => void this.texts.set(name, text)
}

export const QUICK: Partial<Limits> = {
  headersMs: 400,
  firstFrameMs: 150,
  anyByteMs: 400,
  backoffAtLeastMs: 5,
  backoffFirstMs: 10,
  backoffAtMostMs: 40,
  pollVisibleMs: 20,
  pollHiddenMs: 20,
  pollRestMs: 20,
  probeAfterMs: 60,
  probeAtMostMs: 200,
  reopenQuietMs: 5,
  callMs: 2_000,
  publishEveryMs: 5,
  staleAfterMs: 30,
  nudgeEveryMs: 1,
}
/** Real time, but little of it: for tests on real sockets. */

export { LIMITS }
