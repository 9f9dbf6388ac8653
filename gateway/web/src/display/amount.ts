/** Bytes, rates, counts and shares as people read them: decimal units, one digit. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
const GROUPED = new Intl.NumberFormat('en')

/** Say an amount of bytes: `999 B`, `1.2 GB`, `412 MB`. */
export function amount(bytes: number): string {
  if (bytes < 1_000) return `${Math.floor(bytes)} B`
  let value = bytes / 1_000
  let unit = 1
  // What would be rounded to 1000 is 1.0 of the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000
    unit += 1
  }
  const text = value < 99.95 ? (Math.floor(value * 10 + 0.5) / 10).toFixed(1) : String(Math.floor(value + 0.5))
  return `${text} ${UNITS[unit]}`
}

/** Say a rate: `8.4 MB/s`. */
export function rate(bytesPerSecond: number): string {
  return `${amount(bytesPerSecond)}/s`
}

/** Give a progress (0 to 1) as a whole percentage; 100 only when all is done. */
export function percent(ratio: number): number {
  return Math.min(100, Math.max(0, Math.floor(ratio * 100)))
}

/** Say how many: `1 file`, `12 files`, `1,000 files`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** Say a number with its thousands apart. */
export function grouped(count: number): string {
  return GROUPED.format(count)
}
