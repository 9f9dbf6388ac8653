/** The package's face for React 18 and newer. */

export { DownloadProvider, useClient, type DownloadProviderProps } from './context.ts'
export {
  useConnection,
  useDownload,
  useJob,
  useJobEvents,
  useWatch,
  type DownloadOptions,
  type Downloads,
} from './hooks.ts'
export { DownloadManager, type DownloadManagerProps } from './DownloadManager.tsx'
export { failedNaming } from './file_names.ts'
export { englishMessages, type Messages } from './messages.ts'
