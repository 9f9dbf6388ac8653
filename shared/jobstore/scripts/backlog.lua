#!lua flags=allow-oom
-- Counts a partition's unfinished jobs and dead letters.
-- KEYS   1 commands  2 dead
-- ARGV   none
-- Reply  unfinished, pending, parked, ready, age of the oldest waiting entry (ms, 0 when none waits), dead letters,
--        age of the oldest entry of all (ms, 0 when there is none)
-- uses: clock
local pending = redis.call('XPENDING', KEYS[1], 'processors')
local of = {parked = 0, ready = 0}
for _, consumer in ipairs(pending[4] or {}) do
  of[consumer[1]] = tonumber(consumer[2])
end

local last = '0-0'
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
  if group['name'] == 'processors' then last = group['last-delivered-id'] end
end
local function age_ms(of_first_from)
  local oldest = redis.call('XRANGE', KEYS[1], of_first_from, '+', 'COUNT', 1)[1]
  return oldest and math.max(0, now_ms() - tonumber(string.match(oldest[1], '^%d+'))) or 0
end
return {redis.call('XLEN', KEYS[1]), pending[1], of.parked, of.ready, age_ms('(' .. last), redis.call('XLEN', KEYS[2]),
  age_ms('-')}
