/** Builds the page over a client that stands still (test/gallery), for looking at every state. Tests alone use it. */

import { fileURLToPath } from 'node:url'
import { defineConfig, mergeConfig } from 'vite'

import page from './vite.page.config.ts'

const still = fileURLToPath(new URL('test/gallery/scripted_client.ts', import.meta.url))

export default mergeConfig(
  page,
  defineConfig({
    plugins: [
      {
        name: 'a-client-that-stands-still',
        enforce: 'pre',
        resolveId: (source) => (source.endsWith('/client/index.ts') ? still : null),
      },
    ],
  }),
)
