/** The catalogue as a list to tick; it is searched on the server, a page at a time. */

import { useEffect, useRef, useState, type ReactNode } from 'react'

import { amount, counted } from '../display/amount.ts'
import { askCatalogue, type CatalogueFile } from './catalogue.ts'

const TYPING_PAUSE_MS = 250

export interface FilePickerProps {
  readonly apiKey: string | null
  readonly chosen: ReadonlyMap<number, CatalogueFile>
  /** Ids that are asked for beside those; some may be among them. */
  readonly typedIds: readonly number[]
  readonly onChoose: (chosen: ReadonlyMap<number, CatalogueFile>) => void
  /** There is no list, or not for who is asking. */
  readonly onRefused: (answer: 'unauthorized' | 'not offered') => void
  /** Files of the catalogue came. */
  readonly onFound: (files: readonly CatalogueFile[]) => void
}

export function FilePicker({ apiKey, chosen, typedIds, onChoose, onRefused, onFound }: FilePickerProps): ReactNode {
  const [query, setQuery] = useState('')
  const { files, more, again } = useFiles(query, apiKey, { onRefused, onFound })
  const toggle = (file: CatalogueFile) => {
    const changed = new Map(chosen)
    if (!changed.delete(file.id)) changed.set(file.id, file)
    onChoose(changed)
  }
  const unreachable = again && (
    <div className="problem" role="alert">
      <p>The list of files could not be fetched.</p>
      <button type="button" className="waybill-button" onClick={again}>
        Try again
      </button>
    </div>
  )
  if (files === null) return unreachable ?? <p className="quiet">Looking up the files…</p>
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
      {more && (
        <button type="button" className="waybill-button" onClick={more}>
          Show more
        </button>
      )}
      {unreachable}
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
  /** Null before the first answer. */
  readonly files: readonly CatalogueFile[] | null
  /** Fetch the next page; null where there is none. */
  readonly more: (() => void) | null
  /** Ask once more; null where the last answer came. */
  readonly again: (() => void) | null
}

function useFiles(
  query: string,
  apiKey: string | null,
  { onRefused, onFound }: Pick<FilePickerProps, 'onRefused' | 'onFound'>,
): Found {
  const [found, setFound] = useState<Found>({ files: null, more: null, again: null })
  const asking = useRef<AbortController>(undefined)
  const ask = async (before: readonly CatalogueFile[], cursor?: string) => {
    // An answer to what was asked before must not end up under what is asked now.
    asking.current?.abort()
    const { signal } = (asking.current = new AbortController())
    const answer = await askCatalogue(query, { apiKey, signal, ...(cursor !== undefined && { cursor }) })
    if (signal.aborted) return
    if (answer === 'unreachable') return setFound((now) => ({ ...now, more: null, again: () => void ask(before, cursor) }))
    if (typeof answer === 'string') return onRefused(answer)
    onFound(answer.files)
    const files = [...before, ...answer.files]
    const next = answer.nextCursor
    setFound({ files, more: next === null ? null : () => void ask(files, next), again: null })
  }
  useEffect(() => {
    const timer = setTimeout(() => void ask([]), query ? TYPING_PAUSE_MS : 0)
    return () => {
      clearTimeout(timer)
      asking.current?.abort()
    }
    // Another question, or another who asks; the rest is as it was.
  }, [query, apiKey])
  return found
}
