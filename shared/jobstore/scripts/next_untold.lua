#!lua flags=allow-oom
-- Gives the oldest dead letter that the admins have not been told of; one process at a time does the telling.
-- KEYS   1 lock  2 dead  3 stats
-- ARGV   1 who asks  2 lock's time to live (ms)
-- Reply  LEADER, cursor (id of the last letter told)  |  LEADER, cursor, id, fields  |  FOLLOWER
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return {'FOLLOWER'} end

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local cursor = redis.call('HGET', KEYS[3], 'told')
if not cursor then
  -- The first teller ever: what lies there already is for the list, and not for a flood of old news.
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  cursor = last and last[1] or '0-0'
  redis.call('HSET', KEYS[3], 'told', cursor, 'told_number', redis.call('HGET', KEYS[3], 'letters') or 0)
end
local letter = redis.call('XRANGE', KEYS[2], '(' .. cursor, '+', 'COUNT', 1)[1]
if not letter then return {'LEADER', cursor} end

redis.call('HSET', KEYS[3], 'offered', letter[1])
return {'LEADER', cursor, letter[1], letter[2]}
