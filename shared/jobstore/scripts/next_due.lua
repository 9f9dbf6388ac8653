#!lua flags=allow-oom
-- Names the jobs that the janitor must look at; one process at a time is the janitor of a partition.
-- KEYS   1 lock  2 expiry
-- ARGV   1 who asks  2 lock's time to live (ms)  3 now (ms), or empty for Redis' own clock  4 most jobs
-- Reply  LEADER, job ids…  |  FOLLOWER
-- uses: clock
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return {'FOLLOWER'} end

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local now = ARGV[3] ~= '' and ARGV[3] or now_ms()
return {'LEADER', unpack(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[4]))}
