/** The sentence of a failed job with the names of its files: a record has ids alone, and people know files by name. Pure. */

import { SHOWN_FILE_IDS } from '../display/limits.ts'
import { english, missing, type JobSentences } from '../display/sentences.ts'

/**
 * Give an English sentence for failed jobs that names the files at fault, for `messages`; `nameOf` gives undefined where
 * the name is not known. The id stands beside it: names need not be unique, and ids are what can be asked for.
 */
export function failedNaming(nameOf: (fileId: number) => string | undefined): JobSentences['failed'] {
  return (facts) => {
    const { errorCode, fileIds = [] } = facts
    const named = fileIds.slice(0, SHOWN_FILE_IDS).filter((id) => nameOf(id) !== undefined)
    if (named.length === 0) return english.failed(facts)
    if (errorCode === 'SOURCE_MISSING') return missing(fileIds, (id) => calledBoth(id, nameOf(id)))
    // The server's own words have the ids; what they are called stands behind.
    return `${english.failed(facts)} ${named.map((id) => `${id} is ${nameOf(id)}`).join(', ')}.`
  }
}

function calledBoth(fileId: number, name: string | undefined): string {
  return name === undefined ? String(fileId) : `${fileId} (${name})`
}
