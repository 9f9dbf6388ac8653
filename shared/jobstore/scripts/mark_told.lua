#!lua flags=allow-oom
-- Moves the tellers' cursor to the letter behind it, and counts the letters between the two that were trimmed untold.
-- KEYS   1 stats
-- ARGV   1 cursor that the letter was read after  2 id of the letter  3 its number
-- Reply  OK, letters trimmed untold  |  STALE (another teller has moved the cursor)
local s = redis.call('HMGET', KEYS[1], 'told', 'told_number', 'dropped_untold', 'told_hole', 'dropped_offered')
if s[1] == ARGV[2] then return {'OK', tonumber(s[4]) or 0} end
if s[1] ~= ARGV[1] then return {'STALE'} end

local hole = math.max(0, tonumber(ARGV[3]) - tonumber(s[2]) - 1)
local dropped = tonumber(s[3]) or 0
-- This letter was taken away while it was being told. Whether it is still there says less: it may have been trimmed.
if s[5] == ARGV[2] then dropped = dropped - 1 end
local explained = math.min(hole, dropped)
redis.call('HSET', KEYS[1], 'told', ARGV[2], 'told_number', math.max(tonumber(s[2]), tonumber(ARGV[3])),
  'dropped_untold', dropped - explained, 'told_hole', hole - explained)
return {'OK', hole - explained}
