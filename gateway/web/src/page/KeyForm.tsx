/** Asks for an API key, where the server wants one. */

import { useState, type FormEvent, type ReactNode } from 'react'

export interface KeyFormProps {
  /** Whether a key was refused already. */
  readonly wasRefused: boolean
  readonly onKey: (apiKey: string) => void
}

export function KeyForm({ wasRefused, onKey }: KeyFormProps): ReactNode {
  const [typed, setTyped] = useState('')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (typed.trim()) onKey(typed.trim())
  }
  return (
    <form className="card key" onSubmit={submit} aria-label="Sign in">
      <p role={wasRefused ? 'alert' : undefined}>{wasRefused ? 'The server does not take this key. Type another one.' : 'This server wants an API key.'}</p>
      <label className="field">
        API key
        <input
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      </label>
      <p className="quiet">It stays in this tab, and is forgotten with it.</p>
      <button type="submit" className="waybill-button waybill-primary">
        Use this key
      </button>
    </form>
  )
}
