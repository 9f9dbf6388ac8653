/** What the client takes from outside: clock, timers, randomness, network, storage, tabs and the page's events. */

/** What happens to the page: `nudge` is a reason to try at once, `hidden` and `shown` change who should lead. */
export type PageEvent = 'nudge' | 'shown' | 'hidden' | 'leave' | 'return'

export interface Page {
  isHidden(): boolean
  /** True when the browser is sure of it; it errs both ways, so it is told, and nothing rests on it. */
  isOffline(): boolean
  listen(listener: (event: PageEvent) => void): () => void
  /** Let the browser save what is at this address. */
  save(url: string): void
}

export interface Channel {
  send(message: unknown): void
  close(): void
}

export interface World {
  /** Milliseconds that only go forward. */
  nowMs(): number
  /** Milliseconds since 1970, by a clock that may be wrong. */
  wallMs(): number
  /** 0 ≤ ratio < 1. */
  random(): number
  /** A text that nobody has drawn before. */
  newKey(): string
  /** Call once, later; gives back how to prevent it. */
  after(delayMs: number, action: () => void): () => void
  readonly fetch: typeof fetch
  /** Null where there is none, or it is blocked. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem'> | null
  /** Null outside of browsers. */
  readonly page: Page | null
  /** Null where tabs cannot speak with each other. Left out, `waybill/tabs` opens a BroadcastChannel. */
  channel?(name: string, receive: (message: unknown) => void): Channel | null
}

/** The world that the program runs in. */
export function realWorld(): World {
  return {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    random: () => Math.random(),
    newKey,
    after(delayMs, action) {
      const timer = setTimeout(action, delayMs)
      return () => clearTimeout(timer)
    },
    // Called as a method of something else than the window, it throws in browsers.
    fetch: (input, init) => fetch(input, init),
    storage: openStorage(),
    page: typeof document === 'undefined' ? null : browserPage(),
  }
}

/** 128 random bits. `crypto.randomUUID` does not exist on plain http. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Where cookies are blocked, the mere look at `localStorage` throws. */
function openStorage(): World['storage'] {
  try {
    return typeof document === 'undefined' ? null : localStorage
  } catch {
    return null
  }
}

function browserPage(): Page {
  const isHidden = () => document.visibilityState === 'hidden'
  return {
    isHidden,
    isOffline: () => !navigator.onLine,
    listen(listener) {
      const stop = new AbortController()
      const on = (target: EventTarget, name: string, told: () => PageEvent) =>
        target.addEventListener(name, () => listener(told()), { signal: stop.signal })
      // `visibilitychange` alone is not enough: coming back from another window or from sleep may fire only `focus`.
      for (const name of ['online', 'focus']) on(window, name, () => 'nudge')
      on(document, 'resume', () => 'nudge')
      on(document, 'visibilitychange', () => (isHidden() ? 'hidden' : 'shown'))
      // A page that waits in the back-forward cache must hold no stream; it comes back by `pageshow`.
      on(window, 'pagehide', () => 'leave')
      on(window, 'pageshow', () => 'return')
      return () => stop.abort()
    },
    save(url) {
      const link = document.createElement('a')
      link.href = url
      // Of another origin it is ignored: the name then comes from Content-Disposition, as it does anyway.
      link.download = ''
      document.body.append(link)
      link.click()
      link.remove()
    },
  }
}
