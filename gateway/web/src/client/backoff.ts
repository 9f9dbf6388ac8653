/** How long to wait before the next try. Pure: the randomness is given. */

import type { Limits } from './limits.ts'

/**
 * Milliseconds before try number `failures` + 1: anything up to twice as much each time, so that many clients do not
 * come back in one moment. `atLeastMs` is what the server asked for (`retry:`, Retry-After).
 */
export function backoffMs(failures: number, random: number, limits: Limits, atLeastMs = 0): number {
  const least = limits.backoffAtLeastMs
  const most = Math.min(limits.backoffAtMostMs, limits.backoffFirstMs * 2 ** failures)
  const drawn = least + random * Math.max(0, most - least)
  // Above the server's wish only by a little: it has spread its clients itself, or named the moment.
  return drawn >= atLeastMs ? drawn : atLeastMs + random * least
}

/** Milliseconds before probe number `probes` + 1 of streams that were given up. */
export function probeMs(probes: number, limits: Limits): number {
  return Math.min(limits.probeAtMostMs, limits.probeAfterMs * 2 ** probes)
}
