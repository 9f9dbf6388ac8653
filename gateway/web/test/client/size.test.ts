import { gzipSync } from 'node:zlib'

import { build, type Rolldown } from 'vite'
import { expect, test } from 'vitest'

async function chunksOf(config: string): Promise<Record<string, Rolldown.OutputChunk>> {
  const built = (await build({ configFile: config, logLevel: 'error', build: { write: false, sourcemap: false } })) as Rolldown.RolldownOutput[]
  const chunks = built.flatMap(({ output }) => output).filter((piece) => piece.type === 'chunk')
  return Object.fromEntries(chunks.map((chunk) => [chunk.fileName, chunk]))
}

/** What a page pays, gzipped, that uses the core alone, and for each part besides; with React the budget is the page's. */
test.each([
  ['vite.client.config.ts', { 'client.js': 11_600 }],
  ['vite.parts.config.ts', { 'tabs.js': 2_000, 'words.js': 3_000 }],
])('what %s builds is small, and brings nobody along', async (config, budgets) => {
  const chunks = await chunksOf(config)

  expect(Object.keys(chunks).sort()).toEqual(Object.keys(budgets).sort())
  for (const [name, mostBytes] of Object.entries(budgets)) {
    expect(chunks[name]!.imports, name).toEqual([])
    expect(gzipSync(chunks[name]!.code).length, name).toBeLessThanOrEqual(mostBytes)
  }
}, 30_000)
