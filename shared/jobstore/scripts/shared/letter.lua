-- Dead letters are numbered without holes, so that one that was trimmed shows as a hole to whoever reads them.
-- Gives the letter's id, and its number.
local function write_letter(...)
  local number = redis.call('HINCRBY', KEYS[5], 'letters', 1)
  return redis.call('XADD', KEYS[4], 'MAXLEN', '~', 10000, '*', 'number', number, ...), number
end

-- Takes a letter away: its job is redriven, or it is discarded. The admins are told of it all the same: the outbox has a copy.
local function drop_letter(id)
  redis.call('XDEL', KEYS[4], id)
end
