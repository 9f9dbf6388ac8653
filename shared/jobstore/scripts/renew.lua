#!lua flags=allow-oom
-- Extends the lease of a running job, and keeps what its next run may go on from.
-- KEYS   1 record  2 events  3 commands
-- ARGV   1 epoch  2 token  3 processor  4 lease (ms)  5 checkpoint (JSON), or empty for the one that is there
-- Reply  OK  |  CANCEL: done, and somebody wants the job to end  |  STALE  |  DONE  |  GONE
-- uses: clock entry fence
local run, refusal = fence(ARGV[1], ARGV[2])
if not run then return {refusal} end

redis.call('HSET', KEYS[1], 'due_at', now_ms() + tonumber(ARGV[4]))
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'checkpoint', ARGV[5]) end
own(run.entry, ARGV[3])
return {run.cancel and 'CANCEL' or 'OK'}
