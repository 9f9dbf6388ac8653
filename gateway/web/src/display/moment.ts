/** Times of the reader's own clock and calendar. Pure: `now` is passed in. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Say a time: `today, 10:30`, `tomorrow, 10:30`, `24 Nov, 10:30`. */
export function moment(at: Date, now: Date): string {
  return `${['today', 'tomorrow'][daysBetween(now, at)] ?? day(at)}, ${clock(at)}`
}

/** Say a day: `24 Nov`. */
export function day(at: Date): string {
  return `${at.getDate()} ${MONTHS[at.getMonth()]}`
}

/** Say a time of day: `10:30`. */
export function clock(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}`
}

/** Say a time of day to the second: `10:30:07`. */
export function preciseClock(at: Date): string {
  return `${clock(at)}:${two(at.getSeconds())}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}

// In UTC, where every day has 24 hours.
function daysBetween(from: Date, to: Date): number {
  const midnight = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
  return (midnight(to) - midnight(from)) / 86_400_000
}
