/** One tick a second for everything that counts down. It stops when nobody listens, and while the page is hidden. */

import { useSyncExternalStore } from 'react'

const TICK_MS = 1_000
const listeners = new Set<() => void>()
let ticks = 0
let timer: ReturnType<typeof setInterval> | undefined

function tick(): void {
  ticks += 1
  for (const listener of listeners) listener()
}

function startOrStop(): void {
  clearInterval(timer)
  timer = listeners.size > 0 && !document.hidden ? setInterval(tick, TICK_MS) : undefined
}

function onVisibility(): void {
  startOrStop()
  if (!document.hidden) tick()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  if (listeners.size === 1) {
    startOrStop()
    document.addEventListener('visibilitychange', onVisibility)
  }
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    startOrStop()
    document.removeEventListener('visibilitychange', onVisibility)
  }
}

const never = () => () => undefined
const current = () => ticks
const zero = () => 0

/** Render again each second while `isTicking`. */
export function useTicks(isTicking: boolean): number {
  return useSyncExternalStore(isTicking ? subscribe : never, current, zero)
}
