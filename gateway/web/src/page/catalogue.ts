/** The files that may be picked. A server need not offer them; then ids are typed. */

export interface CatalogueFile {
  readonly id: number
  readonly name: string
  /** Null where the catalogue does not say it. */
  readonly sizeBytes: number | null
}

export interface CataloguePage {
  readonly files: readonly CatalogueFile[]
  readonly nextCursor: string | null
}

export type CatalogueAnswer = CataloguePage | 'unauthorized' | 'not offered' | 'unreachable'

interface Wire {
  readonly files?: readonly { file_id: number; name?: string | null; size_bytes?: number | null }[]
  readonly next_cursor?: string | null
}

/** Ask for a page of the files whose names hold `query`. Never rejects; what `signal` has stopped is `unreachable`, too. */
export async function askCatalogue(
  query: string,
  { cursor, apiKey, signal }: { cursor?: string; apiKey: string | null; signal: AbortSignal },
): Promise<CatalogueAnswer> {
  const parameters = new URLSearchParams({ ...(query && { query }), ...(cursor !== undefined && { cursor }) })
  const headers: HeadersInit = { Accept: 'application/json', ...(apiKey && { Authorization: `Bearer ${apiKey}` }) }
  try {
    const answer = await fetch(`/v1/download/files?${parameters}`, { headers, signal })
    if (answer.status === 401) return 'unauthorized'
    if (answer.status === 404 || answer.status === 405) return 'not offered'
    return answer.ok ? pageOf((await answer.json()) as Wire) : 'unreachable'
  } catch {
    return 'unreachable'
  }
}

function pageOf({ files = [], next_cursor = null }: Wire): CataloguePage {
  return {
    files: files.map(({ file_id, name, size_bytes }) => ({
      id: file_id,
      name: name ?? String(file_id),
      sizeBytes: size_bytes ?? null,
    })),
    nextCursor: next_cursor,
  }
}
