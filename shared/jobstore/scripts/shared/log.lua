-- The event log. Scripts do not roll back, so the append is the first write of every script: Redis itself refuses an id
-- that is not higher than the last one, and then nothing has happened. Publishing is the last, and under pcall: an ACL
-- without channel rights must not undo anything. A run may go on for days and report all the time; who comes after the
-- events that are gone is told the gap.
local function append(epoch, seq, message)
  local id = epoch .. '-' .. seq
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, id, 'd', message)
  return id
end

-- Reads a number that may be anything; nil for what is not a whole one of at most 13 digits. Lua reads more (1.5, nan,
-- 1e15), which no event id can be made of.
local function whole(text)
  return type(text) == 'string' and #text <= 13 and string.find(text, '^%d+$') and tonumber(text) or nil
end

-- Gives epoch and seq of the last id that the log has had, 0 and 0 when there is no log; nil for what is none of ours.
local function last_id()
  local info = redis.pcall('XINFO', 'STREAM', KEYS[2])
  if info.err then
    if string.find(info.err, 'no such key') then return 0, 0 end
    return nil
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local epoch, seq = string.match(info[i + 1], '^(%d+)-(%d+)$')
      epoch, seq = whole(epoch), whole(seq)
      if epoch and seq then return epoch, seq end
    end
  end
  return nil
end

-- Tells whether the log will take this id.
local function takes(epoch, seq)
  local last_epoch, last_seq = last_id()
  return last_epoch and (last_epoch < epoch or (last_epoch == epoch and last_seq < seq))
end

local function publish(id, message)
  redis.pcall('SPUBLISH', KEYS[2], id .. ' ' .. message)
end
