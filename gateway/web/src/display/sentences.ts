/**
 * What people are told of a job, and of the connection: one sentence for each fact. Pure.
 *
 * Facts come first, then what happens next; no codes, no blame. The sentences are made from states, phases and codes,
 * not from the server's messages, so that they can be translated; a reason alone is the server's own.
 * `tests/vectors/display.json` has each of them, for the command line too.
 */

import { amount, counted, grouped } from './amount.ts'
import { about, secondsLeft } from './duration.ts'
import { SHOWN_FILE_IDS, SHOWN_LOST_SECONDS, SHOWN_QUIET_SECONDS } from './limits.ts'

/**
 * What is known of one job at this moment; what is left out is not.
 *
 * `state` is the client's, or `lost` (404 after the POST was repeated). `remainingSeconds` is calmed already,
 * `elapsedSeconds` counts from the run's start, `quietSeconds` from the last progress. `isResumed`: a run goes on where
 * one was lost that had not failed. `availableUntil` and `removedOn` are words.
 */
export interface Facts {
  readonly state: keyof JobSentences
  readonly queuePosition?: number
  readonly startsInSeconds?: number
  readonly hasWorkers?: boolean
  readonly phase?: string
  readonly filesProcessed?: number
  readonly totalFiles?: number
  readonly bytesProcessed?: number
  readonly totalBytes?: number | null
  readonly remainingSeconds?: number
  readonly elapsedSeconds?: number
  readonly quietSeconds?: number
  readonly isResumed?: boolean
  readonly isCancelling?: boolean
  readonly attempt?: number
  readonly maxAttempts?: number
  readonly retryInSeconds?: number
  readonly reason?: string
  readonly errorCode?: string
  readonly fileIds?: readonly number[]
  readonly canRetry?: boolean
  readonly name?: string
  readonly archiveBytes?: number | null
  readonly skippedFiles?: number
  readonly availableUntil?: string
  readonly removedOn?: string
}

export interface ConnectionFacts {
  readonly mode: string
  readonly lostSeconds?: number
  readonly retryInSeconds?: number
  readonly reason?: string
}

type Say = (facts: Facts) => string

/** A sentence for each state; each of them may be replaced. */
export interface JobSentences {
  readonly submitting: Say
  readonly queued: Say
  readonly processing: Say
  readonly retrying: Say
  readonly completed: Say
  readonly failed: Say
  readonly cancelled: Say
  readonly gone: Say
  readonly lost: Say
  readonly cancelling: Say
}

const CALLER_REASON = 'The job was cancelled by its caller.'

export const english: JobSentences = {
  submitting: ({ reason, retryInSeconds }) =>
    reason ? `Not sent yet${because(reason)} Trying again ${soon(retryInSeconds)}.` : 'Sending your request…',
  cancelling: () => 'Cancelling…',
  lost: () => 'The server no longer knows this download.',
  queued,
  processing,
  retrying,
  completed,
  failed,
  cancelled: ({ reason = '' }) =>
    reason === '' || reason === CALLER_REASON ? 'You cancelled this download.' : `Cancelled${because(reason)}`,
  gone: ({ removedOn }) => `The archive was removed${removedOn ? ` on ${removedOn}` : ''}. It can be made again.`,
}

/** Say where a job stands. */
export function sentence(facts: Facts, sentences: JobSentences = english): string {
  const mayEnd = ['submitting', 'queued', 'processing', 'retrying'].includes(facts.state)
  return sentences[facts.isCancelling && mayEnd ? 'cancelling' : facts.state](facts)
}

function queued({ hasWorkers = true, queuePosition, startsInSeconds, remainingSeconds }: Facts): string {
  if (!hasWorkers) return 'No worker is running right now. Your place is kept.'
  if (queuePosition === undefined) return 'Waiting for a free worker.'
  const place = queuePosition ? `${grouped(queuePosition)} ahead of you` : 'you are next'
  if (startsInSeconds !== undefined) return `Waiting: ${place}, starts in ${about(startsInSeconds)}.`
  if (remainingSeconds !== undefined) return `Waiting: ${place}, ready in ${about(remainingSeconds)}.`
  return `Waiting: ${place}.`
}

function processing(facts: Facts): string {
  const { phase, totalFiles = 0, totalBytes = null, quietSeconds = 0 } = facts
  if (quietSeconds > SHOWN_QUIET_SECONDS) return `No progress for ${soFar(quietSeconds)}; still trying.`
  if (phase === 'finishing') return 'Finishing the archive…'
  if (facts.isResumed) return 'A worker stopped; another one goes on where it was.'
  if (totalBytes === null || phase === 'planning') {
    return totalFiles ? `Looking up ${counted(totalFiles, 'file')}…` : 'Looking up the files…'
  }
  const parts = [
    `${grouped(facts.filesProcessed ?? 0)} of ${counted(totalFiles, 'file')}`,
    `${amount(facts.bytesProcessed ?? 0)} of ${amount(totalBytes)}`,
    secondsLeft(facts.remainingSeconds, facts.elapsedSeconds),
  ]
  return `Bundling: ${parts.filter(Boolean).join(', ')}.`
}

// Down to the last full step: it must never claim more silence than there was.
function soFar(seconds: number): string {
  return seconds < 60 ? `${Math.floor(seconds / 5) * 5} seconds` : counted(Math.floor(seconds / 60), 'minute')
}

function retrying({ attempt = 0, maxAttempts, reason, retryInSeconds }: Facts): string {
  const which = maxAttempts ? `Attempt ${attempt} of ${maxAttempts}` : `Attempt ${attempt}`
  return `${which} did not work${because(reason)} Trying again ${soon(retryInSeconds)}.`
}

function soon(seconds: number | undefined): string {
  if (seconds === undefined || seconds <= 0) return 'shortly'
  return `in ${seconds < 60 ? counted(Math.ceil(seconds), 'second') : about(seconds)}`
}

function because(reason: string | undefined): string {
  return reason ? `: ${closed(reason)}` : '.'
}

function closed(text: string): string {
  return `${text.replace(/\.+$/, '')}.`
}

function completed(facts: Facts): string {
  const { skippedFiles = 0, totalFiles = 0, name, archiveBytes, availableUntil } = facts
  if (skippedFiles > 0) {
    const verb = skippedFiles === 1 ? 'was' : 'were'
    return `Ready, but ${grouped(skippedFiles)} of ${counted(totalFiles, 'file')} ${verb} missing and left out.`
  }
  const size = archiveBytes === undefined || archiveBytes === null ? '' : amount(archiveBytes)
  const what = [name, size].filter(Boolean).join(', ')
  return `Ready${what ? `: ${what}` : ''}.${availableUntil ? ` Available until ${availableUntil}.` : ''}`
}

function failed({ errorCode, fileIds = [], canRetry, reason }: Facts): string {
  if (errorCode === 'SOURCE_MISSING' && fileIds.length > 0) return missing(fileIds)
  return canRetry || !reason ? `Could not be made${because(reason)}` : closed(reason)
}

/** Say which files are missing; `called` gives what each id is shown as. */
export function missing(fileIds: readonly number[], called: (fileId: number) => string = String): string {
  const named = fileIds.slice(0, SHOWN_FILE_IDS).map((id) => called(id))
  if (fileIds.length === 1) return `File ${named[0]} does not exist any more.`
  const more = fileIds.length - named.length
  const listed = more ? `${named.join(', ')} and ${grouped(more)} more` : named.join(' and ')
  return `Files ${listed} do not exist any more.`
}

const BUSY: Readonly<Record<string, string>> = {
  drain: 'The service is restarting. Reconnecting by itself.',
  gateway: 'The service is restarting. Reconnecting by itself.',
  overload: 'The service is full. Reconnecting by itself.',
  limit: 'The service is full. Reconnecting by itself.',
  redis: 'The service cannot reach its database. Reconnecting by itself.',
}

/** Say what is wrong with the connection; null while nothing is, or for a blink only. */
export function connectionSentence(facts: ConnectionFacts): string | null {
  const { mode, lostSeconds = 0, retryInSeconds, reason = '' } = facts
  if (mode === 'unauthorized') return 'Your session has ended. Downloads go on; sign in to see them.'
  if (mode === 'polling') return 'Live updates are blocked on this network; checking every 2 seconds.'
  if (mode === 'live' || mode === 'idle' || lostSeconds < SHOWN_LOST_SECONDS) return null
  if (mode === 'offline') return 'You seem to be offline. Your downloads go on without you.'
  return BUSY[reason] ?? `Connection lost. Your downloads go on; trying again ${soon(retryInSeconds)}.`
}
