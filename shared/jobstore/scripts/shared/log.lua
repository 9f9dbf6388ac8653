-- The event log. Scripts do not roll back, so the append is the first write of every script: Redis itself refuses an id
-- that is not higher than the last one, and then nothing has happened. Publishing is the last, and under pcall: an ACL
-- without channel rights must not undo anything.
local function append(epoch, seq, message)
  local id = epoch .. '-' .. seq
  redis.call('XADD', KEYS[2], id, 'd', message)
  return id
end

local function publish(id, message)
  redis.pcall('SPUBLISH', KEYS[2], id .. ' ' .. message)
end
