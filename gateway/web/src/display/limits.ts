/** What bounds the display: how calm a number is, how long a silence is none. The command line has the same. */

/** Seconds a second: a remaining time that falls faster looks like a jump. */
export const SHOWN_FALL_RATIO = 2
/** News that is better by so much is worth a jump. */
export const SHOWN_FALL_AT_ONCE_SECONDS = 30
/** What is worse by less than this, and by two seconds, is not worth a change. */
export const SHOWN_RISE_RATIO = 1.25
export const SHOWN_RISE_SECONDS = 2
/** Worse news must hold so long: bursts rose 35 times a minute without it, and 5 with it. */
export const SHOWN_RISE_AFTER_MS = 3_000
/** Of a whole job: of less nobody needs an estimate. */
export const SHOWN_FROM_SECONDS = 5
/** Without progress; then that is said in place of an estimate. */
export const SHOWN_QUIET_SECONDS = 15
/** Of a connection; a shorter loss is nobody's business. */
export const SHOWN_LOST_SECONDS = 3
/** Of the files at fault, in one sentence; the others are counted. */
export const SHOWN_FILE_IDS = 2
/** How long it is told that another worker goes on; then the numbers say so. */
export const SHOWN_RESUMED_SECONDS = 8
/** A button that has just changed its meaning takes no click for so long: the second of a double click meant the first. */
export const BUTTON_GUARD_MS = 1_000
/** Between two announcements to screen readers; what comes meanwhile is merged. */
export const ANNOUNCE_EVERY_MS = 5_000
/** A timer of browsers that is to wait longer than 31 bits can say fires at once. */
export const LONGEST_TIMER_MS = 2_147_483_647
