/** BroadcastChannels of one browser: what a tab sends reaches the others in order, and never itself. */

import type { Channel } from '../../src/client/world.ts'

interface Member {
  readonly name: string
  readonly receive: (message: unknown) => void
  isFrozen: boolean
  missed: unknown[]
}

export class TabBus {
  readonly #members = new Set<Member>()

  /** Open a channel for one tab; `freeze` keeps what arrives until the tab thaws. */
  open(): { channel: (name: string, receive: (message: unknown) => void) => Channel; freeze: () => void; thaw: () => void } {
    let member: Member | undefined
    return {
      channel: (name, receive) => {
        const own: Member = (member = { name, receive, isFrozen: false, missed: [] })
        this.#members.add(own)
        return { send: (message) => this.#send(own, message), close: () => void this.#members.delete(own) }
      },
      freeze: () => void (member!.isFrozen = true),
      thaw: () => {
        member!.isFrozen = false
        for (const message of member!.missed.splice(0)) member!.receive(message)
      },
    }
  }

  #send(from: Member, message: unknown): void {
    const copy: unknown = structuredClone(message)
    for (const member of [...this.#members]) {
      if (member === from || member.name !== from.name) continue
      if (member.isFrozen) member.missed.push(copy)
      else member.receive(copy)
    }
  }
}
