#!lua flags=allow-oom
-- Moves what has lain for a lease without a sign of life to the consumer `ready`; one process at a time does this.
-- KEYS   1 lock  2 commands  3 wake
-- ARGV   1 who asks  2 lock's time to live (ms)  3 lease (ms)  4 cursor  5 entries to look at
--        6 Redis' time (ms) after which this request is void, or empty for never
--        7 which entries: all, or only the parked ones (1), which nobody works on, so that nobody is robbed
-- Who may not take over yet leads in the interim, and gives way to the first who may: else a process that was just started
-- could keep the lead from all who live for longer, and what a dead one had would lie for as long as the young one may not.
-- Reply  LEADER, now (ms), next cursor, entries found  |  FOLLOWER, now (ms)
--        LATE, now (ms): it was on its way for too long, or this server stood still, and nothing was moved
-- uses: clock
local now = now_ms()
if ARGV[6] ~= '' and now > tonumber(ARGV[6]) then return {'LATE', now} end

local leader = redis.call('GET', KEYS[1])
local interim = 'interim ' .. ARGV[1]  -- leave.lua knows it too; no name of a processor has a space in it
local gives_way = ARGV[7] ~= '1' and leader and string.find(leader, '^interim ')
if leader and leader ~= ARGV[1] and leader ~= interim and not gives_way then return {'FOLLOWER', now} end

local title = ARGV[7] == '1' and interim or ARGV[1]
redis.call('SET', KEYS[1], title, 'PX', ARGV[2])
if ARGV[7] == '1' then
  local due = redis.call('XPENDING', KEYS[2], 'processors', 'IDLE', ARGV[3], '-', '+', ARGV[5], 'parked')
  for _, entry in ipairs(due) do
    redis.call('XCLAIM', KEYS[2], 'processors', 'ready', ARGV[3], entry[1], 'JUSTID')
  end
  if #due > 0 then redis.pcall('SPUBLISH', KEYS[3], '') end
  return {'LEADER', now, ARGV[4], #due}
end
local found = redis.call('XAUTOCLAIM', KEYS[2], 'processors', 'ready', ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
if #found[2] > 0 then redis.pcall('SPUBLISH', KEYS[3], '') end
return {'LEADER', now, found[1], #found[2]}
