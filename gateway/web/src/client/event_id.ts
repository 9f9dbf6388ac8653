/** Places in jobs' logs: `<epoch>-<seq>`, and vectors of them. Pure. */

/** Tell which of two ids stands later: above 0 when `left` does. Null, or what is no id, stands before all. */
export function compareIds(left: string | null, right: string | null): number {
  const [leftEpoch, leftSeq] = numbers(left)
  const [rightEpoch, rightSeq] = numbers(right)
  return leftEpoch - rightEpoch || leftSeq - rightSeq
}

function numbers(id: string | null): [number, number] {
  const found = /^(\d{1,15})-(\d{1,15})$/.exec(id ?? '')
  return found ? [Number(found[1]), Number(found[2])] : [-1, -1]
}

/** Write the cursor of a stream of several jobs: one place for each, in the order of the query; `-` is none yet. */
export function vector(cursors: readonly (string | null)[]): string {
  return cursors.map((cursor) => cursor ?? '-').join('.')
}

/** Read it back; `x` is a job that cannot be had, and has no place. Null when it is not one for so many jobs. */
export function readVector(text: string, count: number): (string | null)[] | null {
  const parts = text.split('.')
  return parts.length === count ? parts.map((part) => (part === '-' || part === 'x' ? null : part)) : null
}
