#!lua flags=allow-oom
-- Gives an owner's jobs that were created before a place, newest first; those of one millisecond by id, highest first.
-- Found by rank, so that it costs the same wherever the place is, and whether its job is still there or not.
-- KEYS   1 the owner's jobs
-- ARGV   1 created_at of the place (ms), or empty for the beginning  2 job id of the place  3 how many jobs at most
-- Reply  job id, created_at (ms), job id, created_at …
local first = 0
if ARGV[1] ~= '' then
  local low = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf')
  local high = low + redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1])
  while low < high do
    local middle = math.floor((low + high) / 2)
    if redis.call('ZRANGE', KEYS[1], middle, middle, 'REV')[1] >= ARGV[2] then low = middle + 1 else high = middle end
  end
  first = low
end
return redis.call('ZRANGE', KEYS[1], first, first + ARGV[3] - 1, 'REV', 'WITHSCORES')
