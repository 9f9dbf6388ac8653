import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { DownloadManager, DownloadProvider, useDownload, useJob } from 'waybill/react'
import 'waybill/style.css'

function Reports() {
  const { jobs, startDownload } = useDownload()
  return (
    <>
      <button onClick={() => startDownload([70000, 70001, 70002], { archiveName: 'reports', label: 'All reports' })}>
        Download all reports
      </button>
      {jobs[0] && <Newest id={jobs[0].id} />}
      <DownloadManager />
    </>
  )
}

// A part that follows one job, and renders for that one alone.
function Newest({ id }) {
  const job = useJob(id)
  if (job?.state === 'completed') return <p>The newest one has {job.sizeBytes} bytes.</p>
  return <p>The newest one is {job?.state}.</p>
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <DownloadProvider>
      <Reports />
    </DownloadProvider>
  </StrictMode>,
)
