/** What somebody types as file ids: numbers with anything between them, and ranges like 70000-70015. Pure. */

import { grouped } from '../display/amount.ts'

/** As the server bounds it. */
export const MAX_FILES = 1_000
export const NOTHING_CHOSEN = 'Choose at least one file.'

export type Typed = { readonly ids: readonly number[] } | { readonly problem: string }

/** Read the ids, each once, in their order; or say what is wrong with which word. */
export function readIds(text: string): Typed {
  const words = text.split(/[\s,;]+/).filter(Boolean)
  const ids = new Set<number>()
  for (const [at, word] of words.entries()) {
    const span = spanOf(word)
    if (!span) return { problem: `“${word}” (word ${at + 1}) is not a file id. Ids are whole numbers, like 70000.` }
    const [first, last] = span
    if (last < first) return { problem: `“${word}” (word ${at + 1}) goes backwards. Write ${last}-${first}.` }
    if (ids.size + last - first + 1 > 2 * MAX_FILES) return { problem: tooMany(ids.size + last - first + 1) }
    for (let id = first; id <= last; id += 1) ids.add(id)
  }
  if (ids.size === 0) return { problem: NOTHING_CHOSEN }
  return ids.size > MAX_FILES ? { problem: tooMany(ids.size) } : { ids: [...ids] }
}

/** Say that so many files are too many for one archive. */
export function tooMany(count: number): string {
  return `${grouped(count)} files; at most ${grouped(MAX_FILES)} per archive. Split the request.`
}

function spanOf(word: string): [number, number] | null {
  const match = /^([0-9]{1,16})(?:[-–]([0-9]{1,16}))?$/.exec(word)
  if (!match) return null
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])]
  return Number.isSafeInteger(first) && Number.isSafeInteger(last) ? [first, last] : null
}
