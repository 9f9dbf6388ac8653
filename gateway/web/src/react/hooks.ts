/** What a React app has of a client. Every value keeps its identity until it changes, every function for ever. */

import { useEffect, useMemo, useSyncExternalStore } from 'react'

import type { Connection, DownloadClientFace, Job, JobEvent, Readable } from '../client/index.ts'
import { useClient } from './context.ts'

const NO_JOBS: readonly Job[] = []
const NO_EVENTS: readonly JobEvent[] = []
const IDLE: Connection = { mode: 'idle', sinceMs: 0 }
const nothing = () => undefined

export interface DownloadOptions {
  /**
   * `once`: the browser saves each archive that this component started when it is ready. Default `never`: of several,
   * browsers ask whether they may, so a button is the better way.
   */
  readonly autoSave?: 'never' | 'once'
}

type Functions = Pick<DownloadClientFace, 'startDownload' | 'cancel' | 'retry' | 'dismiss' | 'watch' | 'save'>

export interface Downloads extends Functions {
  /** Own and watched jobs, newest first. */
  readonly jobs: readonly Job[]
  readonly connection: Connection
}

/** All jobs, the connection, and what can be done. Rejections are `WaybillError`s. */
export function useDownload({ autoSave = 'never' }: DownloadOptions = {}): Downloads {
  const client = useClient()
  const jobs = useReadable(client.jobs, NO_JOBS)
  const connection = useConnection()
  const functions = useMemo(() => functionsOf(client, autoSave), [client, autoSave])
  return useMemo(() => ({ jobs, connection, ...functions }), [jobs, connection, functions])
}

/** One job, by id or key; renders again for that job only. With a job of somebody else, `watch` it first. */
export function useJob(id: string): Job | undefined {
  return useReadable(useClient().job(id), undefined)
}

/** How the client hears of its jobs. */
export function useConnection(): Connection {
  return useReadable(useClient().connection, IDLE)
}

/** A job's log from its beginning (its last 1,000 events), oldest first; it is read while this is mounted. */
export function useJobEvents(id: string): readonly JobEvent[] {
  return useReadable(useClient().events(id), NO_EVENTS)
}

/** Follow a job that somebody else started, for as long as this is mounted. */
export function useWatch(id: string | undefined): void {
  const client = useClient()
  useEffect(() => (id === undefined ? nothing() : client.watch(id)), [client, id])
}

// On a server, and while the browser takes its page over, there is nothing yet.
function useReadable<T>(readable: Readable<T>, before: T): T {
  return useSyncExternalStore(readable.subscribe, readable.getSnapshot, () => before)
}

function functionsOf(client: DownloadClientFace, autoSave: 'never' | 'once'): Functions {
  const startDownload: Functions['startDownload'] = async (fileIds, options) => {
    const job = await client.startDownload(fileIds, options)
    if (autoSave === 'once') saveWhenReady(client, job.id).catch(nothing) // the row says what is wrong
    return job
  }
  return {
    startDownload,
    cancel: (id) => client.cancel(id),
    retry: (id) => client.retry(id),
    dismiss: (id) => client.dismiss(id),
    watch: (id) => client.watch(id),
    save: (id) => client.save(id),
  }
}

async function saveWhenReady(client: DownloadClientFace, id: string): Promise<void> {
  const ended = await client.ended(id)
  if (ended.state === 'completed') await client.save(ended.id)
}
