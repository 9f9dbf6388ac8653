#!lua flags=allow-oom
-- Ends a job for good: completed or failed.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 epoch  3 token  4 state  5 terminal message (JSON)  6 retention after the end (ms)
--        7 reason of the dead letter, or empty for none  8 its error (JSON)
--        9 whether admins are told of it (1)  10… record fields, flat
-- Reply  OK  |  DONE  |  STALE  |  GONE
-- uses: clock log entry fence letter in_flight waiting callback outbox terminal
local run, refusal = fence(ARGV[2], ARGV[3])
if not run then return {refusal} end

-- A run that ended in an error counts as a failure also when it is the last one.
local failures = run.failures + (ARGV[4] == 'failed' and 1 or 0)
run.failures = failures
terminate(run, {
  job = ARGV[1], state = ARGV[4], message = ARGV[5], now = now_ms(), retention_ms = tonumber(ARGV[6]),
  fields = {'failures', failures, unpack(ARGV, 10)}, reason = ARGV[7], error = ARGV[8],
  tells_admins = ARGV[9] == '1',
})
return {'OK'}
