#!lua flags=allow-oom
-- Counts a partition's callbacks.
-- KEYS   1 outbox  2 dead callbacks
-- ARGV   none
-- Reply  those that wait, or are being delivered; dead ones; how long the one that is due the longest is due (ms)
-- uses: clock
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local overdue_ms = first[2] and math.max(0, now_ms() - tonumber(first[2])) or 0
return {redis.call('ZCARD', KEYS[1]), redis.call('XLEN', KEYS[2]), overdue_ms}
