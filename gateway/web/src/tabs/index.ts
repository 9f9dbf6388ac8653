/** One stream for all tabs of a browser (`waybill/tabs`): give `shareTabs` to the client. */

import { compareIds } from '../client/event_id.ts'
import { unknownJob } from '../client/job.ts'
import type { Follower, Sharing } from '../client/sharing.ts'
import { type TabMessage, Tabs } from './tabs.ts'

/** Let this tab follow for the others, or hear what the one that does passes on. */
export function shareTabs(name: string, follower: Follower): Sharing {
  const { world, limits, rows } = follower.parts
  const wants = new Map<string, readonly string[]>()
  const tabs: Tabs = new Tabs(name, world, limits, {
    onLead: (isLeading) => follower.lead(isLeading),
    onWant(tab, ids) {
      wants.set(tab, ids)
      if (!ids.length) wants.delete(tab)
      followForOthers(follower, new Set([...wants.values()].flat()))
    },
    onHello() {
      for (const { job, cursor, isKnown } of rows.all()) if (isKnown) tabs.tellRow(job, cursor)
      tabs.tellState(follower.line.connection)
    },
    onMessage: (message) => hear(follower, message),
    cursors: () => Object.fromEntries(rows.all().map((row) => [row.job.id, row.cursor])),
    wants: () => follower.wanted(),
  })
  return tabs
}

/** Have rows, not shown here, of what other tabs want, and of nothing else that they wanted. */
function followForOthers(follower: Follower, ids: ReadonlySet<string>): void {
  const { rows, clock } = follower.parts
  for (const row of rows.all()) if (row.isForeign && !ids.has(row.job.id)) rows.remove(row)
  for (const id of ids) {
    if (!rows.find(id)) rows.add(unknownJob(id, clock.nowMs()), { isKnown: false, isForeign: true })
  }
  if (follower.isLeading) follower.update()
}

function hear(follower: Follower, message: TabMessage): void {
  if (message.type === 'list') follower.readList(message.forgotten)
  else if (message.type === 'row') adopt(follower, message)
  else if (follower.isLeading) return
  else if (message.type === 'event') follower.take(message.jobId, message.eventId, message.message)
  else if (message.type === 'state') follower.publish(message.connection)
}

/** Take a row as another tab knows it, unless this one knows more. */
function adopt(follower: Follower, { job, cursor }: TabMessage & { type: 'row' }): void {
  const { rows } = follower.parts
  const row = rows.find(job.id)
  if (!row || job.state === 'submitting' || (row.isKnown && compareIds(cursor, row.cursor) <= 0)) return
  const { key, label, request, isOwn } = row.job
  row.cursor = cursor
  rows.put(row, { ...job, key, label, request, isOwn })
  follower.update()
}
