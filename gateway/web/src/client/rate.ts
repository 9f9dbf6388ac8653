/** Bytes per second, smoothed over time: what was copied 8 seconds ago counts half. Pure. */

/** `weighted` is the sum of bytes per millisecond by time, `weight` the sum of the weights (1 once much was seen). */
export interface Rate {
  readonly atMs: number
  readonly bytes: number
  readonly weighted: number
  readonly weight: number
  readonly samples: number
  readonly sinceMs: number
}

/** Begin to measure: what was done before tells no rate. */
export function beginRate(atMs: number, bytes: number): Rate {
  return { atMs, bytes, weighted: 0, weight: 0, samples: 1, sinceMs: atMs }
}

/** Take what was done until now into account; two samples of one millisecond are one. */
export function sampleRate(rate: Rate, atMs: number, bytes: number, halfLifeMs: number): Rate {
  const passedMs = atMs - rate.atMs
  if (passedMs <= 0) return rate
  const kept = 0.5 ** (passedMs / halfLifeMs)
  const perMs = Math.max(0, bytes - rate.bytes) / passedMs
  return {
    ...rate,
    atMs,
    bytes,
    weighted: rate.weighted * kept + perMs * (1 - kept),
    weight: rate.weight * kept + (1 - kept),
    samples: rate.samples + 1,
  }
}

/** Undefined before three samples over three seconds: a first guess is a wrong one. */
export function bytesPerSecond(rate: Rate): number | undefined {
  if (rate.samples < 3 || rate.atMs - rate.sinceMs < 3_000) return undefined
  // Divided by the weight, or the first seconds would look slow (the sum has not filled up yet).
  return (rate.weighted / rate.weight) * 1_000
}
