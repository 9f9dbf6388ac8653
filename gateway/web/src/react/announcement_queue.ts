/** What waits to be said to screen readers. The first is said at once, what comes within five seconds after it together. */

import { ANNOUNCE_EVERY_MS } from '../display/limits.ts'
import { merged, type News } from './announcements.ts'
import type { Messages } from './messages.ts'

export class AnnouncementQueue {
  messages: Messages | undefined
  #gathered: News[] = []
  #said: readonly News[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #say: (text: string) => void

  constructor(say: (text: string) => void) {
    this.#say = say
  }

  /** Say it now, or with what is said next. */
  readonly tell = (news: readonly News[]): void => {
    this.#gathered.push(...news)
    if (this.#timer === undefined) this.#flush()
  }

  /** Take back what holds no more: of what waits, and what was said once none of it holds. */
  readonly retract = (holds: (news: News) => boolean): void => {
    this.#gathered = this.#gathered.filter(holds)
    if (this.#said.length === 0 || this.#said.some(holds)) return
    this.#said = []
    this.#say('')
  }

  /** Forget the time of the next announcement; what has gathered is said with the next news. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #flush(): void {
    this.#timer = undefined
    if (this.#gathered.length === 0 || !this.messages) return
    this.#say(merged(this.#gathered, this.messages))
    this.#said = this.#gathered
    this.#gathered = []
    this.#timer = setTimeout(() => this.#flush(), ANNOUNCE_EVERY_MS)
  }
}
