#!lua flags=allow-oom
-- Ends a callback: it was delivered, or is given up.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks  12 dead callbacks
-- ARGV   1 job id  2 name of the callback  3 token  4 delivered or dead  5 tries so far (JSON), or empty: this one does not count
--        6… fields of the dead callback, flat
-- Reply  OK  |  DONE  |  STALE
-- uses: waiting callback
local name, id = ARGV[2], callback_id(ARGV[1], ARGV[2])
local refusal = refusal_of(name, ARGV[3])
if refusal then return {refusal} end

redis.call('HSET', KEYS[10], name .. ':state', ARGV[4])
if ARGV[5] ~= '' then end_try(name, ARGV[5]) end
redis.call('HDEL', KEYS[10], name .. ':lost', name .. ':since')
leave_outbox(ARGV[1], name)
if ARGV[4] == 'dead' then
  local dead_id = redis.call('XADD', KEYS[12], 'MAXLEN', '~', 10000, '*', 'callback', id, 'job', ARGV[1], unpack(ARGV, 6))
  redis.call('HSET', KEYS[10], name .. ':dead_id', dead_id)
end
keep_until_all_are_settled()
return {'OK'}
