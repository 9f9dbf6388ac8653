/** What is asked for: files that are picked, or ids that are typed, and how the archive is called. */

import { useState, type FormEvent, type ReactNode } from 'react'

import type { DownloadRequest } from '../client/index.ts'
import { counted } from '../display/amount.ts'
import { problemSentences } from '../display/problems.ts'
import { useDownload } from '../react/index.ts'
import type { CatalogueFile } from './catalogue.ts'
import { FilePicker, type FilePickerProps } from './FilePicker.tsx'
import { MAX_FILES, NOTHING_CHOSEN, readIds, tooMany, type Typed } from './ids.ts'

export interface StartFormProps extends Pick<FilePickerProps, 'apiKey' | 'onRefused' | 'onFound'> {
  /** Whether the server offers its catalogue. */
  readonly canPick: boolean
  /** What the form begins with; another one begins it anew. */
  readonly request: DownloadRequest | null
}

interface Problem {
  readonly text: string
  readonly fileIds?: readonly number[]
}

export function StartForm({ apiKey, canPick, onRefused, onFound, request }: StartFormProps): ReactNode {
  const { startDownload } = useDownload()
  const [chosen, setChosen] = useState<ReadonlyMap<number, CatalogueFile>>(new Map())
  const [typed, setTyped] = useState(request?.fileIds.join(' ') ?? '')
  const [archiveName, setArchiveName] = useState(request?.archiveName ?? '')
  const [skips, setSkips] = useState(request?.onMissing === 'skip')
  const [problem, setProblem] = useState<Problem | null>(null)
  const [hasStarted, setStarted] = useState(false)
  const [isTyping, setTyping] = useState(typed !== '')

  const start = async (ids: readonly number[]) => {
    setProblem(null)
    setStarted(true)
    const name = archiveName.trim()
    try {
      const options = { onMissing: skips ? 'skip' : 'fail', ...(name && { archiveName: name }) } as const
      await startDownload(ids, { ...options, label: name || labelOf(ids, chosen) })
      // Only now: what is refused is corrected. And what was chosen meanwhile is for the next one.
      setChosen((now) => (now === chosen ? new Map() : now))
      setTyped((now) => (now === typed ? '' : now))
      setArchiveName((now) => (now === archiveName ? '' : now))
    } catch (error) {
      setStarted(false)
      setProblem(problemOf(error))
    }
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const wanted = idsOf(chosen, typed)
    if ('problem' in wanted) {
      setStarted(false)
      return setProblem({ text: wanted.problem })
    }
    void start(wanted.ids)
  }
  const heed = () => setProblem((now) => (now?.text === NOTHING_CHOSEN ? null : now))
  const choose = (files: ReadonlyMap<number, CatalogueFile>) => {
    setChosen(files)
    heed()
  }
  const type = (text: string) => {
    setTyped(text)
    heed()
  }
  const leaveOut = (fileIds: readonly number[]) => {
    const wanted = idsOf(chosen, typed)
    if ('ids' in wanted) void start(wanted.ids.filter((id) => !fileIds.includes(id)))
  }

  const read = readIds(typed)
  const typedIds = 'ids' in read ? read.ids : []
  const ids = (
    <label className="field">
      File ids
      <textarea
        rows={2}
        inputMode="numeric"
        placeholder="70000 70001 70005-70009"
        value={typed}
        onChange={(event) => type(event.target.value)}
        aria-describedby={problem ? 'start-problem' : undefined}
      />
    </label>
  )
  return (
    <form className="start card" onSubmit={submit} aria-label="New download" noValidate>
      {canPick && (
        <FilePicker
          apiKey={apiKey}
          chosen={chosen}
          typedIds={typedIds}
          onChoose={choose}
          onRefused={onRefused}
          onFound={onFound}
        />
      )}
      {canPick ? (
        <details open={isTyping} onToggle={(event) => setTyping(event.currentTarget.open)}>
          <summary>Type file ids</summary>
          {ids}
        </details>
      ) : (
        ids
      )}
      <label className="field">
        <span>
          Name of the archive <span className="quiet">(optional)</span>
        </span>
        <input type="text" maxLength={150} value={archiveName} onChange={(event) => setArchiveName(event.target.value)} />
      </label>
      <label className="check">
        <input type="checkbox" checked={skips} onChange={(event) => setSkips(event.target.checked)} />
        Leave out files that are missing
      </label>
      <div className="start-line">
        <button
          type="submit"
          className="waybill-button waybill-primary"
          // The second click of a double click finds the form emptied by the first.
          onClick={(event) => event.detail > 1 && event.preventDefault()}
        >
          Start download
        </button>
      </div>
      {hasStarted && (
        <p className="started">
          Started. <a href="#downloads">See it below.</a>
        </p>
      )}
      {problem && (
        <div className="problem" role="alert" id="start-problem">
          <p>{problem.text}</p>
          {problem.fileIds && (
            <button type="button" className="waybill-button" onClick={() => leaveOut(problem.fileIds ?? [])}>
              Start without {problem.fileIds.length === 1 ? 'it' : 'them'}
            </button>
          )}
        </div>
      )}
    </form>
  )
}

/** Give all that is picked and typed, each once. */
function idsOf(chosen: ReadonlyMap<number, CatalogueFile>, typed: string): Typed {
  const read: Typed = typed.trim() ? readIds(typed) : { ids: [] }
  if ('problem' in read) return read
  const ids = [...new Set([...chosen.keys(), ...read.ids])]
  if (ids.length === 0) return { problem: NOTHING_CHOSEN }
  return ids.length > MAX_FILES ? { problem: tooMany(ids.length) } : { ids }
}

/** Call a download after its files: people know them by name. */
function labelOf(ids: readonly number[], chosen: ReadonlyMap<number, CatalogueFile>): string {
  const [first] = ids
  const name = first === undefined ? '' : (chosen.get(first)?.name ?? `File ${first}`)
  return ids.length === 1 ? name : `${name} and ${counted(ids.length - 1, 'more file')}`
}

function problemOf(error: unknown): Problem {
  const { fileIds } = error as { fileIds?: readonly number[] }
  const text = problemSentences(error)
  return fileIds?.length ? { text, fileIds } : { text }
}
