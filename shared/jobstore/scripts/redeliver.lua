#!lua flags=allow-oom
-- Makes the callback of a job's last end due at once, as if it had never been tried; its id stays the same.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 dead callbacks
-- ARGV   1 job id  2 token of this wish
-- Reply  OK: also to the repetition of this very wish  |  NOT_ENDED  |  NO_CALLBACK
--        GONE: job or callback is forgotten, or the job deleted
-- uses: clock callback
local r = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'callback_url', 'deleted_at')
if not r[1] or r[4] then return {'GONE'} end
if not r[3] then return {'NO_CALLBACK'} end
if r[1] ~= 'completed' and r[1] ~= 'failed' and r[1] ~= 'cancelled' then return {'NOT_ENDED'} end

-- Nothing but a redrive raises the epoch of a job that has ended: the record's is that of its last end.
local name = r[2]
local c = redis.call('HMGET', KEYS[10], name, name .. ':asked', name .. ':dead_id')
if not c[1] then return {'GONE'} end
if c[2] == ARGV[2] then return {'OK'} end

if c[3] then redis.call('XDEL', KEYS[11], c[3]) end
redis.call('HDEL', KEYS[10], name .. ':state', name .. ':token', name .. ':ended', name .. ':tries', name .. ':dead_id',
  name .. ':unread')
redis.call('HSET', KEYS[10], name .. ':asked', ARGV[2])
redis.call('PERSIST', KEYS[10])
redis.call('ZADD', KEYS[9], now_ms(), callback_id(ARGV[1], name))
redis.pcall('SPUBLISH', KEYS[9], '')
return {'OK'}
