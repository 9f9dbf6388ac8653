#!lua flags=allow-oom
-- Ends a run that failed; the job waits, parked, for its next try.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 epoch  2 token  3 retrying message (JSON)  4 delay (ms)  5 lease (ms)  6 error (JSON)
-- Reply  OK  |  CANCEL: nothing was done, because somebody wants the job to end, and its run can do that now
--        DONE  |  STALE  |  GONE
-- uses: clock log entry fence
local run, refusal = fence(ARGV[1], ARGV[2])
if not run then return {refusal} end
-- Parked or handed on it would wait for its end until somebody has a slot free (release.lua).
if run.cancel then return {'CANCEL'} end

local now, delay_ms = now_ms(), tonumber(ARGV[4])
local id = append(run.epoch, run.seq + 1, ARGV[3])
redis.call('HSET', KEYS[1], 'state', 'retrying', 'seq', run.seq + 1, 'failures', run.failures + 1,
  'due_at', now + delay_ms, 'error', ARGV[6], 'updated_at', now)
hold(run.entry, 'parked', delay_ms, tonumber(ARGV[5]))
publish(id, ARGV[3])
return {'OK'}
