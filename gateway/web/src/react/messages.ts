/** Every word that `DownloadManager` shows. Replace some or all of them: `messages={{ cancel: 'Abbrechen' }}`. */

import type { JobState } from '../client/index.ts'
import { counted } from '../display/amount.ts'
import { about } from '../display/duration.ts'
import { connectionSentence, english, type ConnectionFacts, type JobSentences } from '../display/sentences.ts'

export interface Messages extends JobSentences {
  readonly title: string
  readonly empty: string
  /** A word for each state, beside its icon. */
  readonly badges: Readonly<Record<JobState, string>>
  /** What a job without a name is called. */
  readonly unnamed: (filesTotal: number) => string
  readonly attempt: (attempt: number) => string
  readonly connection: (facts: ConnectionFacts) => string | null
  readonly cancelAction: string
  readonly download: string
  readonly tryAgain: string
  readonly startWithout: string
  readonly changeSelection: string
  readonly startAgain: string
  readonly makeAgain: string
  readonly remove: string
  readonly copyLink: string
  readonly linkCopied: string
  /** Said where the link has a ticket, which works for so long. */
  readonly linkCopiedFor: (seconds: number) => string
  readonly tryNow: string
  readonly why: string
  readonly whyPolling: string
  readonly details: string
  readonly jobId: string
  readonly errorCode: string
  readonly checksum: string
  readonly leftOut: (count: number) => string
  readonly eventLog: string
  readonly noEvents: string
  /** Said to screen readers: a job's name and what became of it. */
  readonly announce: (name: string, news: string) => string
  readonly announceSeveral: (word: string, count: number) => string
  readonly announceProgress: (name: string, percent: number) => string
}

export const englishMessages: Messages = {
  ...english,
  title: 'Downloads',
  empty: 'Nothing here yet.',
  badges: {
    submitting: 'Sending',
    queued: 'Waiting',
    processing: 'Preparing',
    retrying: 'Trying again',
    completed: 'Ready',
    failed: 'Failed',
    cancelled: 'Cancelled',
    gone: 'Removed',
  },
  unnamed: (filesTotal) => (filesTotal > 0 ? counted(filesTotal, 'file') : 'Download'),
  attempt: (attempt) => `attempt ${attempt}`,
  connection: connectionSentence,
  cancelAction: 'Cancel',
  download: 'Download',
  tryAgain: 'Try again',
  startWithout: 'Start without it',
  changeSelection: 'Change selection',
  startAgain: 'Start again',
  makeAgain: 'Make it again',
  remove: 'Remove',
  copyLink: 'Copy link',
  linkCopied: 'Link copied',
  linkCopiedFor: (seconds) => `Link copied. It works for ${about(seconds)}, for whoever has it.`,
  tryNow: 'Try now',
  why: 'Why?',
  whyPolling:
    'Something between here and the server holds its messages back: a proxy, or an antivirus program. Nothing is lost; progress comes in steps.',
  details: 'Details',
  jobId: 'Job',
  errorCode: 'Code',
  checksum: 'CRC-32',
  leftOut: (count) => `${counted(count, 'file')} left out`,
  eventLog: 'Events',
  noEvents: 'None is here yet.',
  announce: (name, news) => `${name}: ${news}`,
  announceSeveral: (word, count) => `${counted(count, 'download')}: ${word}.`,
  announceProgress: (name, percent) => `${name}: ${percent} percent.`,
}
