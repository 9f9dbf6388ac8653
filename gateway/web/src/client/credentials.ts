/** Who is asking: what `authorize` has given, renewed in time, asked for once at a time, given up after three refusals. */

import { networkError } from './errors.ts'
import type { Limits } from './limits.ts'
import type { Authorization, ClientOptions } from './types.ts'
import type { World } from './world.ts'

export class Credentials {
  readonly #authorize: ClientOptions['authorize']
  readonly #limits: Limits
  readonly #world: World
  #current: Authorization | undefined
  #asked: Promise<Authorization> | undefined
  /** Jobs that calls were about, the latest first: a ticket is asked for for all of them. */
  #wanted: readonly string[] = []
  /** Those of them that the current ticket was asked for for. */
  #opened: readonly string[] = []
  #refusals = 0

  constructor(authorize: ClientOptions['authorize'], world: World, limits: Limits) {
    this.#authorize = authorize
    this.#world = world
    this.#limits = limits
  }

  /** Refused too often, or there is nobody to ask for another: no call is worth sending. */
  get isHopeless(): boolean {
    return this.#refusals >= (this.#authorize ? this.#limits.refusalsInARow : 1)
  }

  /** Give what to send in a call about these jobs; rejects with NETWORK where that cannot be asked now: it may be later. */
  async current(jobIds: readonly string[]): Promise<Authorization> {
    if (!this.#authorize) return null
    this.#wanted = [...new Set([...jobIds, ...this.#wanted])].slice(0, this.#limits.jobsPerCall)
    // What is being asked for may be for other jobs.
    await this.#asked
    if (this.#current !== undefined && this.#isGood(this.#current, jobIds)) return this.#current
    return (this.#asked ??= this.#ask(this.#authorize))
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

  #isGood(authorization: Authorization, jobIds: readonly string[]): boolean {
    if (authorization === null || !('ticket' in authorization)) return true
    const isEnding = this.#world.wallMs() > authorization.expiresAt - this.#limits.renewBeforeMs
    return !isEnding && jobIds.every((id) => this.#opened.includes(id))
  }

  async #ask(authorize: NonNullable<ClientOptions['authorize']>): Promise<Authorization> {
    const jobIds = this.#wanted
    try {
      const given = (this.#current = await authorize(jobIds))
      this.#opened = jobIds
      return given
    } catch (error) {
      throw networkError(`It could not be asked who you are: ${String(error)}`)
    } finally {
      this.#asked = undefined
    }
  }
}
