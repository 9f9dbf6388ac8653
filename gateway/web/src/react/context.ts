/** Which client a component speaks to: the nearest provider's, else one for this origin, made when first asked for. */

import { createContext, createElement, useContext, useEffect, useInsertionEffect, useMemo, useRef, type ReactNode } from 'react'

import { DownloadClient } from '../client/index.ts'
import type { ClientOptions, DownloadClientFace } from '../client/index.ts'
import { shareTabs } from '../tabs/index.ts'

const Clients = createContext<DownloadClientFace | null>(null)
let ofThisOrigin: DownloadClientFace | undefined

export type DownloadProviderProps = { readonly children?: ReactNode } & (
  | { readonly client: DownloadClientFace }
  | ({ readonly client?: undefined } & ClientOptions)
)

/**
 * Gives a client to everything below it: yours, which you close, or one of its own for `baseUrl`, `scope` and
 * `authorize`; its tabs share one stream unless `shareTabs` is false. Another `baseUrl` or `scope` is another client; a new `authorize` is used from its next call on.
 */
export function DownloadProvider({ children, client, ...options }: DownloadProviderProps): ReactNode {
  return client
    ? createElement(Clients.Provider, { value: client }, children)
    : createElement(OwnClient, { options }, children)
}

function OwnClient({ options, children }: { options: ClientOptions; children?: ReactNode }): ReactNode {
  const newest = useRef(options)
  // Before any effect below: those who subscribe there make the client ask who they are.
  useInsertionEffect(() => {
    newest.current = options
  })
  const { baseUrl, scope } = options
  const client = useMemo(() => {
    const authorize: ClientOptions['authorize'] = (jobIds) => newest.current.authorize?.(jobIds) ?? Promise.resolve(null)
    return new DownloadClient({ shareTabs, ...options, ...(options.authorize && { authorize }) })
    // Another server or account is another client; who asks is read when it is needed.
  }, [baseUrl, scope])
  const closing = useRef<{ of: DownloadClientFace; timer: ReturnType<typeof setTimeout> }>(undefined)
  useEffect(() => {
    // Strict Mode takes each effect back once and does it again: that is no farewell.
    const left = closing.current
    if (left?.of === client) clearTimeout(left.timer)
    return () => {
      closing.current = { of: client, timer: setTimeout(() => client.close(), 0) }
    }
  }, [client])
  return createElement(Clients.Provider, { value: client }, children)
}

/** The client of the nearest provider. On a server it is made too, and does nothing there. */
export function useClient(): DownloadClientFace {
  return useContext(Clients) ?? (ofThisOrigin ??= new DownloadClient({ shareTabs }))
}
