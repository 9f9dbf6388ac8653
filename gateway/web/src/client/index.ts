/** The package's face. */

export { WaybillError, type Problem } from './errors.ts'
export type * from './types.ts'
