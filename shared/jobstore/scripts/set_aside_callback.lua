#!lua flags=allow-oom
-- Ends a try of a callback that its deliverer cannot read, uncounted: a newer one may. After a time it is nobody's.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 name of the callback  3 token  4 time to the next look (ms)  5 now (ms), or empty for Redis' own clock
--        6 how long it may be looked at in vain (ms)
-- Reply  OK  |  OVER: it was looked at in vain for so long, and is in its deliverer's hands still  |  DONE  |  STALE
-- uses: clock waiting callback
local name = ARGV[2]
local refusal = refusal_of(name, ARGV[3])
if refusal then return {refusal} end

local now = ARGV[5] ~= '' and tonumber(ARGV[5]) or now_ms()
redis.call('HSETNX', KEYS[10], name .. ':unread', now)
if now - redis.call('HGET', KEYS[10], name .. ':unread') > tonumber(ARGV[6]) then return {'OVER'} end

wait_until(ARGV[1], name, now + tonumber(ARGV[4]))
return {'OK'}
