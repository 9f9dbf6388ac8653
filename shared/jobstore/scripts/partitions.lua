#!lua flags=allow-oom
-- Agrees on the number of partitions: it can be raised, never lowered (jobs in the highest would be lost from sight).
-- KEYS   1 the number
-- ARGV   1 the number that the asking process is configured with
-- Reply  the number that governs
local stored = tonumber(redis.call('GET', KEYS[1]) or 0)
if stored < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
  return tonumber(ARGV[1])
end
return stored
