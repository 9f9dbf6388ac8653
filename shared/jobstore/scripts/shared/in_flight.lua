-- The owners' jobs in flight: a sorted set with one member `<owner> <job id>` for each unfinished job, all of score 0. No
-- owner has a space in it, so an owner's members are one range of it, and counted in O(log n). A member and no counter:
-- what is written twice, or taken away twice, is right all the same, and each can be held against its job's record.
local function member_of(owner, job)
  return (owner or '') .. ' ' .. job
end

local function in_flight_of(owner)
  return redis.call('ZLEXCOUNT', KEYS[8], '[' .. (owner or '') .. ' ', '(' .. (owner or '') .. '!')
end

local function count_in(owner, job)
  redis.call('ZADD', KEYS[8], 0, member_of(owner, job))
end

local function count_out(owner, job)
  redis.call('ZREM', KEYS[8], member_of(owner, job))
end
