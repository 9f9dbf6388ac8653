#!lua flags=allow-oom
-- Notes that a processor lives, and forgets those that have been silent for too long.
-- KEYS   1 when each processor gave its last sign (sorted set)  2 what it said of itself (hash)
-- ARGV   1 processor  2 what it says (JSON)  3 how long a sign counts (ms)
-- Reply  OK
-- uses: clock
local now, counts_ms = now_ms(), tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - counts_ms, 'LIMIT', 0, 100)
if #silent > 0 then
  redis.call('ZREM', KEYS[1], unpack(silent))
  redis.call('HDEL', KEYS[2], unpack(silent))
end
-- With the last processor both keys go.
redis.call('PEXPIRE', KEYS[1], counts_ms)
redis.call('PEXPIRE', KEYS[2], counts_ms)
return {'OK'}
