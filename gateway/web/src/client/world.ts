/** What the client takes from outside: clock, timers, randomness, network, storage, tabs and the page's events. */

export interface World {
  /** Milliseconds that only go forward. */
  nowMs(): number
}
