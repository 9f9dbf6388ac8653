/** Follows jobs (`?job=`) by tickets alone, under Strict Mode; `window.asked` has the jobs of each ticket. */

import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

import { DownloadProvider, useJob, useWatch } from '../../src/react/index.ts'

declare global {
  interface Window {
    /** The header that an application's own server would send. */
    readonly asTheServer: string
    readonly asked: (readonly string[])[]
  }
}

const ids = new URLSearchParams(location.search).getAll('job')
const asked: (readonly string[])[] = []
Object.assign(window, { asked })

async function authorize(jobIds: readonly string[]) {
  asked.push(jobIds)
  const headers = { authorization: window.asTheServer, 'content-type': 'application/json' }
  const answer = await fetch('/v1/download/tickets', { method: 'POST', headers, body: JSON.stringify({ job_ids: jobIds }) })
  const { ticket, expires_at: expiresAt } = (await answer.json()) as { ticket: string; expires_at: string }
  return { ticket, expiresAt: Date.parse(expiresAt) }
}

function Row({ id }: { id: string }) {
  useWatch(id)
  return <output id={id}>{useJob(id)?.state}</output>
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <DownloadProvider authorize={authorize}>
      {ids.map((id) => (
        <Row key={id} id={id} />
      ))}
    </DownloadProvider>
  </StrictMode>,
)
