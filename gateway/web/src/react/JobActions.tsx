/** The buttons of a job's row. The primary one stays the same button while its meaning changes. */

import { useEffect, useState, type ReactNode } from 'react'

import type { DownloadClientFace, DownloadRequest, Job, StartOptions } from '../client/index.ts'
import { BUTTON_GUARD_MS, LONGEST_TIMER_MS } from '../display/limits.ts'
import { problemSentences } from '../display/problems.ts'
import { actionsOf, idsWithout, type Action } from './actions.ts'
import { useClient } from './context.ts'
import type { Messages } from './messages.ts'

const LABELS: Readonly<Record<Action, keyof Messages>> = {
  cancel: 'cancelAction',
  download: 'download',
  tryAgain: 'tryAgain',
  startWithout: 'startWithout',
  changeSelection: 'changeSelection',
  startAgain: 'startAgain',
  makeAgain: 'makeAgain',
  copyLink: 'copyLink',
  remove: 'remove',
}

export interface JobActionsProps {
  readonly job: Job
  readonly name: string
  readonly messages: Messages
  readonly onChangeSelection: ((request: DownloadRequest) => void) | undefined
  /** The row is about to go: its focus must go somewhere. */
  readonly onRemove: () => void
}

export function JobActions({ job, name, messages, onChangeSelection, onRemove }: JobActionsProps): ReactNode {
  const client = useClient()
  const [problem, setProblem] = useState<string>()
  const [copied, setCopied] = useCopied()
  const canCopy = typeof navigator !== 'undefined' && navigator.clipboard !== undefined
  const [first, ...others] = actionsOf(job, { canCopy, canChangeSelection: onChangeSelection !== undefined })
  const primary = useGuarded(first)
  // A button that went meanwhile would take the focus with it.
  const isInert = !primary.takesClicks || job.isCancelling
  const press = (action: Action) => {
    setProblem(undefined)
    if (action === 'changeSelection' && job.request) onChangeSelection?.(job.request)
    if (action === 'remove') onRemove()
    const done = action === 'copyLink' ? copyLink(client, job).then(setCopied) : perform(client, job, action)
    done.catch((error: unknown) => setProblem(problemSentences(error)))
  }
  const label = (action: Action) =>
    action === 'copyLink' && copied ? messages.linkCopied : String(messages[LABELS[action]])
  return (
    <>
      <div className="waybill-actions">
        {primary.action && (
          <button
            key="primary"
            type="button"
            className={primary.action === 'cancel' ? 'waybill-button' : 'waybill-button waybill-primary'}
            aria-disabled={job.isCancelling || undefined}
            onClick={() => !isInert && primary.action && press(primary.action)}
          >
            {label(primary.action)} <span className="waybill-hidden">{name}</span>
          </button>
        )}
        {others.map((action) => (
          <button key={action} type="button" className="waybill-button" onClick={() => press(action)}>
            {label(action)} <span className="waybill-hidden">{name}</span>
          </button>
        ))}
      </div>
      {copied && copied.worksForMs !== null && job.state === 'completed' && (
        <p className="waybill-quiet" role="status">
          {messages.linkCopiedFor(copied.worksForMs / 1_000)}
        </p>
      )}
      {problem && (
        <p className="waybill-problem" role="alert">
          {problem}
        </p>
      )}
    </>
  )
}

/** Let a changed meaning show only after a second, in which no click counts: a double click meant the first one. */
function useGuarded(wanted: Action | undefined): { action: Action | undefined; takesClicks: boolean } {
  const [shown, setShown] = useState(wanted)
  const isAwaited = shown !== undefined && wanted !== undefined && shown !== wanted
  useEffect(() => {
    if (!isAwaited) {
      setShown(wanted)
      return undefined
    }
    const timer = setTimeout(() => setShown(wanted), BUTTON_GUARD_MS)
    return () => clearTimeout(timer)
  }, [wanted, isAwaited])
  return isAwaited ? { action: shown, takesClicks: false } : { action: wanted, takesClicks: true }
}

interface Copied {
  /** Null: for as long as the archive is there. */
  readonly worksForMs: number | null
}

/** What was copied, for as long as it works: then the button offers a new link. */
function useCopied(): [Copied | null, (copied: Copied) => void] {
  const [copied, setCopied] = useState<Copied | null>(null)
  useEffect(() => {
    if (copied === null || copied.worksForMs === null || copied.worksForMs > LONGEST_TIMER_MS) return undefined
    const timer = setTimeout(() => setCopied(null), copied.worksForMs)
    return () => clearTimeout(timer)
  }, [copied])
  return [copied, setCopied]
}

async function copyLink(client: DownloadClientFace, job: Job): Promise<Copied> {
  const link = client.fileLink(job.id)
  const text = link.then(({ url }) => new URL(url, location.href).href)
  // What is wrong with the link is told, rather than what the clipboard makes of it.
  const [{ expiresAt }] = await Promise.all([link, writeToClipboard(text)])
  return { worksForMs: expiresAt === null ? null : expiresAt - client.serverNowMs() }
}

/** Safari takes a text only in the click itself (WebKit bug 222262): it is given the promise of one, as all may be that have ClipboardItem. */
async function writeToClipboard(text: Promise<string>): Promise<void> {
  if (typeof ClipboardItem === 'undefined') return navigator.clipboard.writeText(await text)
  const blob = text.then((written) => new Blob([written], { type: 'text/plain' }))
  return navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })])
}

async function perform(client: DownloadClientFace, job: Job, action: Action): Promise<void> {
  switch (action) {
    case 'cancel':
      await client.cancel(job.id)
      return
    case 'download':
      return client.save(job.id)
    case 'tryAgain':
      await client.retry(job.id)
      return
    case 'startWithout':
    case 'startAgain':
    case 'makeAgain':
      return startAgain(client, job, action === 'startWithout' ? idsWithout(job) : job.request?.fileIds)
    case 'remove':
      client.dismiss(job.id)
      return
    case 'copyLink':
    case 'changeSelection':
      return
  }
}

// The old row goes when the new one has been accepted: until then it says what happened.
async function startAgain(client: DownloadClientFace, job: Job, fileIds: DownloadRequest['fileIds'] = []): Promise<void> {
  const { archiveName, onMissing } = job.request ?? {}
  const options: StartOptions = {
    ...(archiveName !== undefined && { archiveName }),
    ...(onMissing !== undefined && { onMissing }),
    ...(job.label !== null && { label: job.label }),
  }
  await client.startDownload(fileIds, options)
  client.dismiss(job.key)
}
