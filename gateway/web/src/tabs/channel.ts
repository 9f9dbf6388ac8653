/** How tabs of one origin reach each other. */

import type { Channel } from '../client/world.ts'

/** Null where there are no BroadcastChannels: each tab is then for itself. */
export function openChannel(name: string, receive: (message: unknown) => void): Channel | null {
  if (typeof BroadcastChannel === 'undefined') return null
  const channel = new BroadcastChannel(name)
  channel.onmessage = (event) => receive(event.data)
  return {
    send(message) {
      channel.postMessage(message)
    },
    close() {
      channel.close()
    },
  }
}
