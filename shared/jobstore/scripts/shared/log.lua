-- The event log. Scripts do not roll back, so the append is the first write of every script: Redis itself refuses an id
-- that is not higher than the last one, and then nothing has happened. Publishing is the last, and under pcall: an ACL
-- without channel rights must not undo anything.
local function append(epoch, seq, message)
  local id = epoch .. '-' .. seq
  redis.call('XADD', KEYS[2], id, 'd', message)
  return id
end

-- Tells whether the log will take this id: not when it is another kind of key, or has a higher one already.
local function takes(epoch, seq)
  local info = redis.pcall('XINFO', 'STREAM', KEYS[2])
  if info.err then return not string.find(info.err, '^WRONGTYPE') end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local last_epoch, last_seq = string.match(info[i + 1], '^(%d+)-(%d+)$')
      last_epoch, last_seq = tonumber(last_epoch), tonumber(last_seq)
      return last_epoch < epoch or (last_epoch == epoch and last_seq < seq)
    end
  end
end

local function publish(id, message)
  redis.pcall('SPUBLISH', KEYS[2], id .. ' ' .. message)
end
