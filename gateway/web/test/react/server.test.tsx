/** On a server, where there is no browser: everything is rendered, empty, and nothing is asked for. */

import { renderToString } from 'react-dom/server'
import { expect, test } from 'vitest'

import { DownloadManager, DownloadProvider, useConnection, useDownload, useJob, useJobEvents } from '../../src/react/index.ts'

function Probe() {
  const { jobs } = useDownload()
  return <i>{JSON.stringify([jobs, useConnection().mode, useJob('x') ?? null, useJobEvents('x')])}</i>
}

test('the list is empty and the hooks have nothing', () => {
  const asked: string[] = []
  const fetch = (address: unknown) => {
    asked.push(String(address))
    return Promise.reject(new Error('nobody is to be asked'))
  }

  const html = renderToString(
    <DownloadProvider baseUrl="https://waybill.example" world={{ fetch: fetch as typeof globalThis.fetch }}>
      <DownloadManager title="Reports" messages={{ empty: 'Noch nichts.' }} />
      <Probe />
    </DownloadProvider>,
  )

  expect(html).toContain('Reports')
  expect(html).toContain('Noch nichts.')
  expect(html).toContain('[[],&quot;idle&quot;,null,[]]')
  expect(asked).toEqual([])
})
