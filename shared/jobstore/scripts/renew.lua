#!lua flags=allow-oom
-- Extends the lease of a running job.
-- KEYS   1 record  2 events  3 commands
-- ARGV   1 epoch  2 token  3 processor  4 lease (ms)
-- Reply  OK  |  CANCEL: done, and somebody wants the job to end  |  STALE  |  DONE  |  GONE
-- uses: clock entry fence
local run, refusal = fence(ARGV[1], ARGV[2])
if not run then return {refusal} end

redis.call('HSET', KEYS[1], 'due_at', now_ms() + tonumber(ARGV[4]))
own(run.entry, ARGV[3])
return {run.cancel and 'CANCEL' or 'OK'}
