/** Every number of the client, with its unit in its name and its reason beside it. The constructor takes others. */

export const LIMITS = {
  // ── one attempt at a stream ──
  /** A server that has not sent a head by then is not going to. */
  headersMs: 10_000,
  /** The server sends a frame at once at every open: without one a proxy or a scanner holds the stream back. */
  firstFrameMs: 4_000,
  /** Two heartbeats (15 s ± 20 %) and slack: a stream that is silent for longer is dead, whatever TCP says. */
  anyByteMs: 40_000,
  /** A computer that comes back after sleep trusts a stream only if it said something within a heartbeat. */
  trustedMs: 20_000,
  /** A frame that is longer is none of ours. */
  maxFrameChars: 1_048_576,
  /** Jobs of one stream, and of one batch of records: the server takes no more. */
  jobsPerCall: 50,
  /** Other jobs are added to a stream once nothing has changed for this long: a page that starts ten opens it once. */
  reopenQuietMs: 200,

  // ── when streams do not work ──
  /** Once may be chance. */
  muteOpens: 2,
  framelessAttempts: 3,
  framelessWithinMs: 60_000,
  probeAfterMs: 30_000,
  probeAtMostMs: 300_000,
  /** A page that gets focus, is shown and hears that it is online in one moment asks once. */
  nudgeEveryMs: 1_000,
  backoffAtLeastMs: 500,
  backoffFirstMs: 1_000,
  backoffAtMostMs: 30_000,
  /** A stream that lived so long was a good one: the next loss begins from the shortest wait. */
  healthyMs: 10_000,
  pollVisibleMs: 2_000,
  pollHiddenMs: 10_000,
  /** What a stream does not tell: jobs beyond its fifty, and how the line before a queued job moves. */
  pollRestMs: 10_000,
  /** An ordinary call. */
  callMs: 15_000,

  // ── who is asking ──
  renewBeforeMs: 60_000,
  refusalsInARow: 3,

  // ── jobs ──
  /** The server forgets a request's key after a day: repeating it later would make another job. */
  healWithinMs: 24 * 3_600_000,
  /** Two clicks on one button are one wish. */
  doubleClickMs: 2_000,
  rememberedJobs: 100,
  /** Of a job that somebody looks at: at one progress event a second, the last quarter of an hour. */
  eventsKept: 1_000,
  /** The server gives no more at once. */
  eventsPerPage: 500,
  /** Rows are marked stale when nothing works for so long; a shorter loss is not worth a word. */
  staleAfterMs: 3_000,

  // ── what is published ──
  publishEveryMs: 250,
  publishHiddenMs: 1_000,
  rateHalfLifeMs: 8_000,
  clockSamples: 5,
  /** A sample that is further off than this means that the computer slept, or its clock was set: begin anew. */
  clockJumpMs: 5_000,

  // ── tabs ──
  beatEveryMs: 1_000,
  /** A new tab listens for a leader before it opens a stream of its own. */
  listenMs: 100,
  silenceVisibleMs: 3_000,
  /** Browsers let hidden tabs run once a minute: a shorter patience would make every one of them a leader. */
  silenceHiddenMs: 90_000,
  rankJitterMs: 200,
  electionAtLeastMs: 50,
  electionAtMostMs: 250,
}

export type Limits = typeof LIMITS
