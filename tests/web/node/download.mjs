// Downloads one bundle with the built client, and prints each snapshot of its row and of the connection, a line each.
// node download.mjs <client.js> <address> <file ids, as JSON> <how far off this computer's clock is, in milliseconds>

const [core, baseUrl, fileIds, clockOffMs] = process.argv.slice(2)

// Everything in this process believes it, as on a computer whose clock is wrong.
const rightNow = Date.now
Date.now = () => rightNow() + Number(clockOffMs)

const { DownloadClient } = await import(core)
const tell = (told) => console.log(JSON.stringify(told))

const client = new DownloadClient({ baseUrl })
client.connection.subscribe(() => tell({ connection: client.connection.getSnapshot() }))
client.jobs.subscribe(() => tell({ job: client.jobs.getSnapshot()[0], server_now_ms: client.serverNowMs() }))

const { key } = await client.startDownload(JSON.parse(fileIds), { archiveName: 'bundle' })
const ended = await client.ended(key)
const archive = ended.state === 'completed' ? await fetch(await client.fileUrl(key)) : null
tell({ ended, archive_bytes: archive && (await archive.arrayBuffer()).byteLength, server_now_ms: client.serverNowMs() })
client.close()
// Nothing may be left that keeps the program alive: it ends by itself, or the test waits for it in vain.
