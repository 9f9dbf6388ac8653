-- Dead letters are numbered without holes, so that one that was trimmed before the admins were told of it shows as a hole.
-- Gives the letter's id, and its number.
local function write_letter(...)
  local number = redis.call('HINCRBY', KEYS[5], 'letters', 1)
  return redis.call('XADD', KEYS[4], 'MAXLEN', '~', 10000, '*', 'number', number, ...), number
end

-- Takes a letter away: its job is redriven, or it is discarded. It is none of those that were trimmed. One that the
-- teller has in hand may be told all the same, and is then none of the untold either: mark_told takes it off again.
local function drop_letter(id)
  local letter = redis.call('XRANGE', KEYS[4], id, id)[1]
  if not letter then return end

  redis.call('XDEL', KEYS[4], id)
  local told = tonumber(redis.call('HGET', KEYS[5], 'told_number'))
  for i = 1, #letter[2], 2 do
    if letter[2][i] == 'number' and told and tonumber(letter[2][i + 1]) > told then
      redis.call('HINCRBY', KEYS[5], 'dropped_untold', 1)
      if redis.call('HGET', KEYS[5], 'offered') == id then redis.call('HSET', KEYS[5], 'dropped_offered', id) end
    end
  end
end
