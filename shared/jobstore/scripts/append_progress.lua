#!lua
-- Appends one progress event of a running job.
-- KEYS   1 record  2 events
-- ARGV   1 epoch  2 token  3 seq of this event  4 message (JSON)
-- Reply  OK  |  CANCEL: done, and somebody wants the job to end  |  DUP (this event is there already: success)
--        STALE  |  DONE  |  GONE
--        BEHIND, seq of the last event: events that the writer has written were lost in a failover
-- uses: clock log fence
local run, refusal = fence(ARGV[1], ARGV[2])
if not run then return {refusal} end
local seq = tonumber(ARGV[3])
if seq <= run.seq then return {'DUP'} end
if seq > run.seq + 1 then return {'BEHIND', run.seq} end

local id = append(run.epoch, seq, ARGV[4])
redis.call('HSET', KEYS[1], 'seq', seq, 'progress', ARGV[4], 'updated_at', now_ms())
publish(id, ARGV[4])
return {run.cancel and 'CANCEL' or 'OK'}
