/** Counts how often React commits the list and each row while jobs are followed; `?job=` names them. */

import { useEffect } from 'react'
import { createRoot } from 'react-dom/client'

import { DownloadManager, useDownload, useJob, useWatch } from '../../src/react/index.ts'

const ids = new URLSearchParams(location.search).getAll('job')
const commits: Record<string, number> = {}
const quiet = { sinceMs: 0 }
Object.assign(window, { commits, quiet })

function count(name: string): void {
  commits[name] = (commits[name] ?? 0) + 1
  quiet.sinceMs = performance.now()
}

function List() {
  useDownload()
  useEffect(() => count('list'))
  return null
}

function Row({ id }: { id: string }) {
  const job = useJob(id)
  useWatch(id)
  useEffect(() => count(id))
  return <output id={id}>{job?.progress}</output>
}

createRoot(document.getElementById('root')!).render(
  <>
    <List />
    {ids.map((id) => (
      <Row key={id} id={id} />
    ))}
    <DownloadManager />
  </>,
)
