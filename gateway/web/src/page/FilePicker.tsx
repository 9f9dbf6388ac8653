/** The catalogue as a list to tick; it is searched on the server, a page at a time. */

import { useEffect, useState, type ReactNode } from 'react'

import { amount, counted } from '../display/amount.ts'
import { askCatalogue, type CatalogueAnswer, type CatalogueFile } from './catalogue.ts'

const TYPING_PAUSE_MS = 250

export interface FilePickerProps {
  readonly apiKey: string | null
  readonly chosen: ReadonlyMap<number, CatalogueFile>
  /** Ids that are asked for beside those; some may be among them. */
  readonly typedIds: readonly number[]
  readonly onChoose: (chosen: ReadonlyMap<number, CatalogueFile>) => void
  /** What the server said in place of a list. */
  readonly onRefused: (answer: Exclude<CatalogueAnswer, object>) => void
}

export function FilePicker({ apiKey, chosen, typedIds, onChoose, onRefused }: FilePickerProps): ReactNode {
  const [query, setQuery] = useState('')
  const { files, hasMore, more } = useFiles(query, apiKey, onRefused)
  const toggle = (file: CatalogueFile) => {
    const changed = new Map(chosen)
    if (!changed.delete(file.id)) changed.set(file.id, file)
    onChoose(changed)
  }
  if (files === null) return <p className="quiet">Looking up the files…</p>
  const areAllChosen = files.length > 0 && files.every(({ id }) => chosen.has(id))
  const toggleAll = () => {
    const changed = new Map(chosen)
    for (const file of files) areAllChosen ? changed.delete(file.id) : changed.set(file.id, file)
    onChoose(changed)
  }
  return (
    <fieldset className="picker">
      <legend>Files</legend>
      <div className="picker-tools">
        <label className="search">
          <span className="waybill-hidden">Search by name</span>
          <input type="search" placeholder="Search" value={query} onChange={(event) => setQuery(event.target.value)} />
        </label>
        <button type="button" className="waybill-button" onClick={toggleAll} disabled={files.length === 0}>
          {areAllChosen ? 'Choose none' : 'Choose all shown'}
        </button>
      </div>
      <ul className="files" tabIndex={0} aria-label="Files">
        {files.map((file) => (
          <li key={file.id}>
            <label>
              <input type="checkbox" checked={chosen.has(file.id)} onChange={() => toggle(file)} />
              <span className="file-name">{file.name}</span>
              <span className="quiet">{file.sizeBytes === null ? '' : amount(file.sizeBytes)}</span>
            </label>
          </li>
        ))}
        {files.length === 0 && <li className="quiet">No file is called like that.</li>}
      </ul>
      {hasMore && (
        <button type="button" className="waybill-button" onClick={more}>
          Show more
        </button>
      )}
      <p className="quiet">{summary(chosen, typedIds)}</p>
    </fieldset>
  )
}

/** Count what would start; its size is said where all of it was picked from the list. */
function summary(chosen: ReadonlyMap<number, CatalogueFile>, typedIds: readonly number[]): string {
  const count = new Set([...chosen.keys(), ...typedIds]).size
  if (count === 0) return 'Nothing chosen yet.'
  const sizes = [...chosen.values()].map(({ sizeBytes }) => sizeBytes)
  const isKnown = count === chosen.size && sizes.every((size) => size !== null)
  const known = isKnown ? sizes.reduce((sum: number, size) => sum + (size ?? 0), 0) : null
  return `${counted(count, 'file')} chosen${known === null ? '' : `, ${amount(known)}`}.`
}

interface Found {
  readonly files: readonly CatalogueFile[] | null
  readonly hasMore: boolean
  readonly more: () => void
}

function useFiles(query: string, apiKey: string | null, onRefused: FilePickerProps['onRefused']): Found {
  const [files, setFiles] = useState<readonly CatalogueFile[] | null>(null)
  const [cursor, setCursor] = useState<string | null>(null)
  const ask = async (signal: AbortSignal, before: readonly CatalogueFile[], after?: string) => {
    const answer = await askCatalogue(query, { apiKey, signal, ...(after !== undefined && { cursor: after }) })
    if (typeof answer === 'string') return onRefused(answer)
    setFiles([...before, ...answer.files])
    setCursor(answer.nextCursor)
  }
  useEffect(() => {
    const leaving = new AbortController()
    const timer = setTimeout(() => ask(leaving.signal, []).catch(() => undefined), query ? TYPING_PAUSE_MS : 0)
    return () => {
      clearTimeout(timer)
      leaving.abort()
    }
    // Another question, or another who asks; the rest is as it was.
  }, [query, apiKey])
  const more = () => void ask(new AbortController().signal, files ?? [], cursor ?? undefined)
  return { files, hasMore: cursor !== null, more }
}
