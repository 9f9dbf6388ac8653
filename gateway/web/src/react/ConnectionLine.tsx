/** What is wrong with the connection, and what can be done. Nothing is shown while nothing is, or for a blink. */

import type { ReactNode } from 'react'

import type { Connection } from '../client/index.ts'
import { useClient } from './context.ts'
import { useConnection } from './hooks.ts'
import type { Messages } from './messages.ts'
import { useTicks } from './ticker.ts'

const MAY_BE_TRIED = ['connecting', 'waiting', 'offline', 'unauthorized']

export function ConnectionLine({ messages }: { messages: Messages }): ReactNode {
  const client = useClient()
  const connection = useConnection()
  useTicks(MAY_BE_TRIED.includes(connection.mode))
  const text = connectionText(connection, messages, performanceNowMs())
  if (text === null) return null
  return (
    <div className="waybill-connection" data-mode={connection.mode}>
      <p>{text}</p>
      {connection.mode === 'polling' && (
        <details>
          <summary>{messages.why}</summary>
          <p>{messages.whyPolling}</p>
        </details>
      )}
      {MAY_BE_TRIED.includes(connection.mode) && (
        <button type="button" className="waybill-button" onClick={() => client.tryNow()}>
          {messages.tryNow}
        </button>
      )}
    </div>
  )
}

/** Say what is wrong at this moment, by `performance.now()`; null when it is not worth a word. */
export function connectionText({ mode, sinceMs, retryInSeconds, reason }: Connection, messages: Messages, nowMs: number): string | null {
  const lostSeconds = Math.max(0, nowMs - sinceMs) / 1_000
  return messages.connection({
    mode,
    lostSeconds,
    ...(retryInSeconds !== undefined && { retryInSeconds: retryInSeconds - lostSeconds }),
    ...(reason !== undefined && { reason }),
  })
}

// React wants to render on servers too, where it shows nothing that depends on it.
function performanceNowMs(): number {
  return typeof performance === 'undefined' ? 0 : performance.now()
}
