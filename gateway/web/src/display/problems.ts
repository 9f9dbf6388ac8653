/** What people are told of an error: what it is called, and what they can do. English; pure. */

import type { Problem } from '../client/errors.ts'

type Words = readonly [title: string, action: string]

const BY_CODE: Readonly<Record<string, Words>> = {
  NETWORK: ['Not reachable', 'Check your connection; your downloads go on without you.'],
  TIMED_OUT: ['No answer', 'It is tried again by itself where it can be.'],
  NOT_WAYBILL: ['Another server answered', 'Check the address, and whether you have to sign in to this network.'],
  ABORTED: ['Given up', 'Start it again if you still want it.'],
  INVALID_FILE_ID: ['Not a file id', 'Correct it, or take it out.'],
  NOT_COMPLETED: ['No archive', 'Wait until it is completed.'],
  NO_BROWSER: ['No browser', 'Fetch the address that fileUrl() gives.'],
  UNKNOWN_FILES: ['Unknown files', 'Take these files out, or let missing files be skipped.'],
  FILES_FORBIDDEN: ['Not your files', 'Take these files out; they belong to somebody else.'],
  BODY_TOO_LARGE: ['Too large', 'Split the request into several.'],
  IDEMPOTENCY_KEY_REUSED: ['Not accepted', 'Start it as a new download.'],
  NOT_FOUND: ['Unknown', 'Start it again if you still need it.'],
  TICKETS_NOT_OFFERED: ['Not allowed', 'Tell the operators: links need tickets, and none are set up.'],
  NOT_READY: ['Not in this state', 'Wait until it is completed.'],
}
const BY_STATUS: Readonly<Record<number, Words>> = {
  401: ['Not signed in', 'Sign in again; your downloads go on.'],
  403: ['Not allowed', 'Ask for access, or sign in with another account.'],
  404: ['Unknown', 'Check the address.'],
  409: ['Not in this state', 'Look at the state of the download.'],
  410: ['Removed', 'Start it again; it can be made anew.'],
  422: ['Not accepted', 'Change the request.'],
  429: ['Too many requests', 'Wait a little; it is tried again by itself where it can be.'],
}
const BUSY: Words = ['The server is busy', 'Your request is kept; try again in a moment.']
const REFUSED: Words = ['Refused', 'Change the request.']

/** What happened, in a few words. */
export function titleOf(problem: Problem): string {
  return wordsOf(problem)[0]
}

/** What the reader can do; one sentence. */
export function actionOf(problem: Problem): string {
  return wordsOf(problem)[1]
}

/** What happened, and what the reader can do; a detail that goes on after its first sentence says that itself. */
export function problemSentences(error: unknown): string {
  const { code, detail, message } = error as Partial<Problem> & { message?: string }
  // No error of ours: whatever it says.
  if (code === undefined || detail === undefined) return message ?? String(error)
  return /[.!?] \p{Lu}/u.test(detail) ? detail : `${detail} ${actionOf(error as Problem)}`
}

function wordsOf({ code, status }: Problem): Words {
  return BY_CODE[code] ?? BY_STATUS[status] ?? (status >= 500 ? BUSY : REFUSED)
}
