/** The API key that was typed in: for this tab and this session, never in an address and never on the disk for good. */

const NAME = 'waybill:api-key'

/** Give the key of this session; null when there is none, or the browser keeps nothing. */
export function keptKey(): string | null {
  try {
    return sessionStorage.getItem(NAME)
  } catch {
    return null
  }
}

/** Keep a key for this session; null forgets it. */
export function keepKey(apiKey: string | null): void {
  try {
    if (apiKey === null) sessionStorage.removeItem(NAME)
    else sessionStorage.setItem(NAME, apiKey)
  } catch {
    // Then it lasts until the next reload.
  }
}

/**
 * Name whose jobs these are, so that two keys in two tabs share none: the public part of one of our keys, else a
 * fingerprint that is too short to guess a secret from.
 */
export function scopeOf(apiKey: string | null): string {
  if (apiKey === null) return ''
  return /^wb_([0-9a-f]{16})_/.exec(apiKey)?.[1] ?? fingerprint(apiKey)
}

// FNV-1a of 32 bits: `crypto.subtle` is absent on plain http.
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
