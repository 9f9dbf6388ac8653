#!lua flags=allow-oom
-- Moves what has lain for a lease without a sign of life to the consumer `ready`; one process at a time does this.
-- KEYS   1 lock  2 commands  3 wake
-- ARGV   1 who asks  2 lock's time to live (ms)  3 lease (ms)  4 cursor  5 entries to look at
--        6 which entries: all, or only the parked ones (1), which nobody works on, so that nobody is robbed
-- Reply  LEADER, next cursor, entries found  |  FOLLOWER
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return {'FOLLOWER'} end

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[6] == '1' then
  local due = redis.call('XPENDING', KEYS[2], 'processors', 'IDLE', ARGV[3], '-', '+', ARGV[5], 'parked')
  for _, entry in ipairs(due) do
    redis.call('XCLAIM', KEYS[2], 'processors', 'ready', ARGV[3], entry[1], 'JUSTID')
  end
  if #due > 0 then redis.pcall('SPUBLISH', KEYS[3], '') end
  return {'LEADER', ARGV[4], #due}
end
local found = redis.call('XAUTOCLAIM', KEYS[2], 'processors', 'ready', ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
if #found[2] > 0 then redis.pcall('SPUBLISH', KEYS[3], '') end
return {'LEADER', found[1], #found[2]}
