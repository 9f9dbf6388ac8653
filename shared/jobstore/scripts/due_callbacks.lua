#!lua flags=allow-oom
-- Names the callbacks that are due, the longest first, and changes nothing.
-- KEYS   1 outbox
-- ARGV   1 now (ms), or empty for Redis' own clock  2 most of them
-- Reply  their ids
-- uses: clock
local now = ARGV[1] ~= '' and tonumber(ARGV[1]) or now_ms()
return redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[2])
