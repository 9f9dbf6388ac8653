/** The page: who asks, what is asked for, and what became of it. */

import { useCallback, useEffect, useMemo, useState, type ReactNode } from 'react'

import type { DownloadRequest, Job } from '../client/index.ts'
import { percent } from '../display/amount.ts'
import {
  DownloadManager,
  DownloadProvider,
  failedNaming,
  useClient,
  useConnection,
  useDownload,
  type Messages,
} from '../react/index.ts'
import { keepKey, keptKey, scopeOf } from './api_key.ts'
import type { CatalogueFile } from './catalogue.ts'
import { KeyForm } from './KeyForm.tsx'
import { StartForm } from './StartForm.tsx'

const TITLE = 'Waybill'

export function App(): ReactNode {
  const [apiKey, setApiKey] = useState(keptKey)
  const [wasRefused, setRefused] = useState(false)
  const take = (typed: string | null) => {
    keepKey(typed)
    setApiKey(typed)
    setRefused(false)
  }
  return (
    <DownloadProvider
      scope={scopeOf(apiKey)}
      authorize={() => Promise.resolve(apiKey === null ? null : { header: `Bearer ${apiKey}` })}
    >
      <header className="top">
        <h1>
          <Mark /> {TITLE}
        </h1>
        {apiKey !== null && !wasRefused && (
          <button type="button" className="waybill-button" onClick={() => take(null)}>
            Forget the API key
          </button>
        )}
      </header>
      <main>
        <Desk apiKey={apiKey} wasRefused={wasRefused} onRefused={() => setRefused(true)} onKey={take} />
      </main>
    </DownloadProvider>
  )
}

interface DeskProps {
  readonly apiKey: string | null
  readonly wasRefused: boolean
  readonly onRefused: () => void
  readonly onKey: (apiKey: string) => void
}

function Desk({ apiKey, wasRefused, onRefused, onKey }: DeskProps): ReactNode {
  const client = useClient()
  const { mode } = useConnection()
  const [canPick, setCanPick] = useState(true)
  const [request, setRequest] = useState<{ of: DownloadRequest | null; turn: number }>({ of: null, turn: 0 })
  // Always the same function: another one would render every row again.
  const changeSelection = useCallback((of: DownloadRequest) => setRequest(({ turn }) => ({ of, turn: turn + 1 })), [])
  const [messages, learn] = useNamingMessages()
  useTitle()
  useEffect(() => {
    if (mode === 'unauthorized') onRefused()
  }, [mode, onRefused])
  if (wasRefused) {
    return (
      <KeyForm
        wasRefused={apiKey !== null}
        onKey={(typed) => {
          onKey(typed)
          client.tryNow()
        }}
      />
    )
  }
  return (
    <div className="desk">
      <StartForm
        key={request.turn}
        apiKey={apiKey}
        canPick={canPick}
        request={request.of}
        onFound={learn}
        onRefused={(answer) => (answer === 'unauthorized' ? onRefused() : setCanPick(false))}
      />
      <div id="downloads">
        <DownloadManager
          empty="Nothing here yet. What you start goes on without this page, and is listed here when you come back."
          showEvents
          messages={messages}
          onChangeSelection={changeSelection}
        />
      </div>
    </div>
  )
}

/** Give messages that name the files that the list has shown; learning new names renders every row again. */
function useNamingMessages(): [Partial<Messages>, (files: readonly CatalogueFile[]) => void] {
  const [names, setNames] = useState<ReadonlyMap<number, string>>(new Map())
  const learn = useCallback((files: readonly CatalogueFile[]) => {
    setNames((known) =>
      files.every(({ id, name }) => known.get(id) === name)
        ? known
        : new Map([...known, ...files.map(({ id, name }) => [id, name] as const)]),
    )
  }, [])
  const messages = useMemo(() => ({ failed: failedNaming((id) => names.get(id)) }), [names])
  return [messages, learn]
}

/** Let the tab say how far the newest running download is: it is often all that is seen. */
function useTitle(): void {
  const { jobs } = useDownload()
  const title = titleOf(jobs)
  useEffect(() => {
    document.title = title
  }, [title])
}

function titleOf(jobs: readonly Job[]): string {
  const running = jobs.find(({ state, progress }) => state === 'processing' && progress !== null)
  return running ? `${percent(running.progress ?? 0)} % · ${running.label ?? TITLE}` : TITLE
}

function Mark(): ReactNode {
  return (
    <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--mark)" />
      <path d="M16 6v13m-6-5 6 6 6-6M8 25h16" fill="none" stroke="var(--on-mark)" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  )
}
