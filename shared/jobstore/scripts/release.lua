#!lua flags=allow-oom
-- Hands a running job back, uncounted, so that another processor starts it at once.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 epoch  2 token  3 queued message (JSON)
-- Reply  OK  |  CANCEL: nothing was done, because somebody wants the job to end, and its run can do that now
--        DONE  |  STALE  |  GONE
-- uses: clock log entry fence
local run, refusal = fence(ARGV[1], ARGV[2])
if not run then return {refusal} end
-- Handed back it would wait for its end until somebody has a slot free, which may be never: all may wait for a store.
if run.cancel then return {'CANCEL'} end

local id = append(run.epoch, run.seq + 1, ARGV[3])
redis.call('HSET', KEYS[1], 'state', 'queued', 'seq', run.seq + 1, 'attempt', run.attempt - 1, 'due_at', 0,
  'updated_at', now_ms())
own(run.entry, 'ready')
publish(id, ARGV[3])
redis.pcall('SPUBLISH', KEYS[6], '')
return {'OK'}
