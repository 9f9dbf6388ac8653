/** Who is asking: what `authorize` has given, renewed in time, asked for once at a time, given up after three refusals. */

import type { Limits } from './limits.ts'
import type { Authorization, ClientOptions } from './types.ts'
import type { World } from './world.ts'

export class Credentials {
  readonly #authorize: ClientOptions['authorize']
  readonly #limits: Limits
  readonly #world: World
  #current: Authorization | undefined
  #asked: Promise<Authorization> | undefined
  #refusals = 0
  /** A ticket is good for single jobs, not for calls that are about many. */
  usesTicket = false

  constructor(authorize: ClientOptions['authorize'], world: World, limits: Limits) {
    this.#authorize = authorize
    this.#world = world
    this.#limits = limits
  }

  /** Refused too often, or there is nobody to ask for another: no call is worth sending. */
  get isHopeless(): boolean {
    return this.#refusals >= (this.#authorize ? this.#limits.refusalsInARow : 1)
  }

  /** Give what to send; rejects with what `authorize` rejects with. */
  current(): Promise<Authorization> {
    if (!this.#authorize) return Promise.resolve(null)
    if (this.#current !== undefined && !this.#isEnding(this.#current)) return Promise.resolve(this.#current)
    this.#asked ??= this.#ask(this.#authorize)
    return this.#asked
  }

  /** The server took it. */
  accepted(): void {
    this.#refusals = 0
  }

  /** The server did not take `used`; a call that was on its way with an older one counts once with it. */
  refused(used: Authorization): void {
    if (this.#authorize && used !== this.#current) return
    this.#current = undefined
    this.#refusals += 1
  }

  /** Its time is over, which is no refusal. */
  expired(): void {
    this.#current = undefined
  }

  /** Somebody has signed in: begin anew. */
  renew(): void {
    this.#current = undefined
    this.#refusals = 0
  }

  #isEnding(authorization: Authorization): boolean {
    if (authorization === null || !('ticket' in authorization)) return false
    return this.#world.wallMs() > authorization.expiresAt - this.#limits.renewBeforeMs
  }

  async #ask(authorize: () => Promise<Authorization>): Promise<Authorization> {
    try {
      const given = (this.#current = await authorize())
      this.usesTicket = given !== null && 'ticket' in given
      return given
    } finally {
      this.#asked = undefined
    }
  }
}
