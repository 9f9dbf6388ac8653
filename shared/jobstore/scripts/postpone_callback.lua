#!lua flags=allow-oom
-- Ends a try of a callback, which waits for the next one; or is superseded, when the job has ended again meanwhile.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 name of the callback  3 token  4 time to the next try (ms)  5 now (ms), or empty for Redis' own clock
--        6 tries so far (JSON), or empty: this one does not count
-- Reply  OK  |  DONE  |  STALE
-- uses: clock waiting callback
local name = ARGV[2]
local refusal = refusal_of(name, ARGV[3])
if refusal then return {refusal} end

if ARGV[6] ~= '' then end_try(name, ARGV[6]) end
local now = ARGV[5] ~= '' and tonumber(ARGV[5]) or now_ms()
wait_until(ARGV[1], name, now + tonumber(ARGV[4]))
return {'OK'}
