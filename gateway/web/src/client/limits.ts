/** Every number of the client: its unit is in its name, its reason beside it. All can be given to the constructor. */

export interface Limits {
  readonly headersMs: number
}

export const LIMITS: Limits = { headersMs: 10_000 }
