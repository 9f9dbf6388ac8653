/** Which jobs this browser started, over reloads and for its other tabs. Where storage is blocked or full: for as long as the page lives. */

import type { Limits } from './limits.ts'
import type { DownloadRequest } from './types.ts'
import type { World } from './world.ts'

/** Neither progress nor tickets: the server tells the one, and the other is nobody's who reads this later. */
export interface Remembered {
  readonly key: string
  /** Null until the server has accepted it. */
  readonly id: string | null
  /** Null for a job that somebody else started. */
  readonly request: DownloadRequest | null
  readonly label: string | null
  /** By the server's clock. */
  readonly createdAt: number
}

export class Memory {
  readonly #storage: World['storage']
  readonly #name: string
  readonly #limits: Limits
  #entries: readonly Remembered[] = []

  constructor(storage: World['storage'], name: string, limits: Limits) {
    this.#storage = storage
    this.#name = name
    this.#limits = limits
  }

  /** All of them, newest first; another tab may have written since the last time. */
  entries(): readonly Remembered[] {
    try {
      const text = this.#storage?.getItem(this.#name)
      if (text) this.#entries = (JSON.parse(text) as unknown[]).filter(isRemembered)
    } catch {
      // Blocked, or not ours: what is known here is what there is.
    }
    return this.#entries
  }

  /** Keep an entry, in the place of the one with its key. Of too many the oldest go, first of those that `isSpare`. */
  keep(entry: Remembered, isSpare: (key: string) => boolean): void {
    const others = this.entries().filter(({ key }) => key !== entry.key)
    let all = [entry, ...others].sort((one, other) => other.createdAt - one.createdAt)
    while (all.length > this.#limits.rememberedJobs) {
      const gone = [...all].reverse().find(({ key }) => isSpare(key)) ?? all.at(-1)
      all = all.filter((kept) => kept !== gone)
    }
    this.#write(all)
  }

  forget(key: string): void {
    this.#write(this.entries().filter((entry) => entry.key !== key))
  }

  #write(entries: readonly Remembered[]): void {
    this.#entries = entries
    try {
      this.#storage?.setItem(this.#name, JSON.stringify(entries))
    } catch {
      // Full or blocked: this page remembers, and the server has the jobs.
    }
  }
}

function isRemembered(value: unknown): value is Remembered {
  const entry = value as Partial<Remembered> | null
  const isRequest = entry?.request === null || Array.isArray(entry?.request?.fileIds)
  return typeof entry?.key === 'string' && (entry.id === null || typeof entry.id === 'string') && typeof entry.createdAt === 'number' && isRequest
}
