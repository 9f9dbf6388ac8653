-- The owners' callbacks that wait or are being delivered: a sorted set with one member `<owner> <id of the callback>` for each
-- entry of the outbox but the admins', counted as the jobs in flight are (in_flight.lua), and for the same reasons.
local function waiting_member(owner, id)
  return (owner or '') .. ' ' .. id
end

local function waiting_of(owner)
  return redis.call('ZLEXCOUNT', KEYS[11], '[' .. (owner or '') .. ' ', '(' .. (owner or '') .. '!')
end
