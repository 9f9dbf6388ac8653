/** The package's words (`waybill/words`): sentences for jobs, connections and errors, for whoever shows them without React. */

export { actionOf, problemSentences, titleOf } from './problems.ts'
export { connectionSentence, english, type ConnectionFacts, type Facts, type JobSentences } from './sentences.ts'
