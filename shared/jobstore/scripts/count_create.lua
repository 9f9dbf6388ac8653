#!lua flags=allow-oom
-- Counts a create of an owner, when there was room for it within the window that ends now. Each is a member of its own,
-- so that the repetition of one that was counted finds it, and a burst ends when its own creates have become old.
-- KEYS   1 the owner's creates by time
-- ARGV   1 what names this create  2 most creates in a window  3 window (ms)
-- Reply  OK, how many more there is room for, time until there is room for one more than that (ms)
--        FULL, time until there is room for one (ms): nothing was counted
-- uses: clock
local now, window_ms = now_ms(), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window_ms)
local most, count = tonumber(ARGV[2]), redis.call('ZCARD', KEYS[1])
local is_counted = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not is_counted and count < most then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], window_ms)
  is_counted, count = true, count + 1
end
-- More than there may be are there after the limit was lowered: as many must become old before there is room.
local place = math.max(0, count - most)
local next_ms = tonumber(redis.call('ZRANGE', KEYS[1], place, place, 'WITHSCORES')[2]) + window_ms - now
if not is_counted then return {'FULL', next_ms} end
return {'OK', math.max(0, most - count), next_ms}
