#!lua flags=allow-oom
-- Lists the processors that live.
-- KEYS   1 when each processor gave its last sign (sorted set)  2 what it said of itself (hash)
-- ARGV   1 how long a sign counts (ms)  2 most processors
-- Reply  a list of (processor, what it says (JSON), age of its last sign (ms))
-- uses: clock
local now, found = now_ms(), {}
local alive = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now - tonumber(ARGV[1]), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #alive, 2 do
  local said = redis.call('HGET', KEYS[2], alive[i])
  if said then found[#found + 1] = {alive[i], said, math.max(0, now - tonumber(alive[i + 1]))} end
end
return found
