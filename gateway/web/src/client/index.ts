/** The package's face. */

export { DownloadClient } from './client.ts'
export { WaybillError, type Problem } from './errors.ts'
export { isEnded } from './job.ts'
export { LIMITS, type Limits } from './limits.ts'
export type { ShareTabs } from './sharing.ts'
export type { Channel, Page, PageEvent, World } from './world.ts'
export type * from './types.ts'
