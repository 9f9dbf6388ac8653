import { gzipSync } from 'node:zlib'

import { build, type Rolldown } from 'vite'
import { expect, test } from 'vitest'

/** What a page pays that uses the core alone; with React and the list the budget is the page's. */
const MAX_GZIPPED_BYTES = 14_500

test('the core is small, and brings nobody along', async () => {
  const built = (await build({ configFile: 'vite.client.config.ts', logLevel: 'error', build: { write: false, sourcemap: false } })) as Rolldown.RolldownOutput[]

  const chunks = built.flatMap(({ output }) => output).filter((piece) => piece.type === 'chunk')

  expect(chunks).toHaveLength(1)
  expect(chunks[0]!.imports).toEqual([])
  expect(gzipSync(chunks[0]!.code).length).toBeLessThanOrEqual(MAX_GZIPPED_BYTES)
}, 30_000)
