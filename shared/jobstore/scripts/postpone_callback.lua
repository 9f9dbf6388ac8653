#!lua flags=allow-oom
-- Ends a try of a callback that waits for the next one.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks
-- ARGV   1 job id  2 name of the callback  3 token  4 time to the next try (ms)  5 now (ms), or empty for Redis' own clock
--        6 tries so far (JSON), or empty: this one does not count
-- Reply  OK  |  DONE  |  STALE
-- uses: clock callback
local name = ARGV[2]
local refusal = refusal_of(name, ARGV[3])
if refusal then return {refusal} end

if ARGV[6] ~= '' then end_try(name, ARGV[6]) end
redis.call('HDEL', KEYS[10], name .. ':state')
local now = ARGV[5] ~= '' and tonumber(ARGV[5]) or now_ms()
redis.call('ZADD', KEYS[9], now + tonumber(ARGV[4]), callback_id(ARGV[1], name))
return {'OK'}
