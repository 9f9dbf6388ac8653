/** What a person can do with a job, the likeliest first. Pure. */

import type { FileId, Job } from '../client/index.ts'

export type Action =
  | 'cancel'
  | 'download'
  | 'tryAgain'
  | 'startWithout'
  | 'changeSelection'
  | 'startAgain'
  | 'makeAgain'
  | 'copyLink'
  | 'remove'

/** What the surroundings allow: a clipboard, and somebody who takes a selection to be changed. */
export interface Abilities {
  readonly canCopy: boolean
  readonly canChangeSelection: boolean
}

/** Give the actions of a job's row; the first is its primary button. */
export function actionsOf(job: Job, { canCopy, canChangeSelection }: Abilities): readonly Action[] {
  const repeat = (action: Action): Action[] => (job.request ? [action] : [])
  switch (job.state) {
    case 'submitting':
    case 'queued':
    case 'processing':
    case 'retrying':
      return ['cancel']
    case 'completed':
      return ['download', ...(canCopy ? (['copyLink'] as const) : []), 'remove']
    case 'failed': {
      const without: Action[] = idsWithout(job).length > 0 ? ['startWithout'] : []
      const change: Action[] = canChangeSelection && job.request ? ['changeSelection'] : []
      // A file that was missing may have been put there since: nobody but a person can know.
      const again: Action[] = job.canRetry || job.error.code === 'SOURCE_MISSING' ? ['tryAgain'] : []
      return [...without, ...(job.canRetry ? [] : change), ...again, 'remove']
    }
    case 'cancelled':
      return [...repeat('startAgain'), 'remove']
    case 'gone':
      return [...repeat('makeAgain'), 'remove']
  }
}

/** Give the files that were asked for without those at which a job failed; none when that is no way out. */
export function idsWithout(job: Job): readonly FileId[] {
  if (job.state !== 'failed' || !job.request || !job.error.fileIds?.length) return []
  const atFault = new Set(job.error.fileIds.map(String))
  return job.request.fileIds.filter((id) => !atFault.has(String(id)))
}
