-- The dead letter of a job, taken away by hand: redriven or discarded. Letters are numbered without holes, so that one
-- that was trimmed before the admins were told of it shows as a hole; what is taken away here is none of those.
local function drop_letter(id)
  local letter = redis.call('XRANGE', KEYS[4], id, id)[1]
  if not letter then return end

  redis.call('XDEL', KEYS[4], id)
  local told = tonumber(redis.call('HGET', KEYS[5], 'told_number'))
  for i = 1, #letter[2], 2 do
    if letter[2][i] == 'number' and told and tonumber(letter[2][i + 1]) > told then
      redis.call('HINCRBY', KEYS[5], 'dropped_untold', 1)
    end
  end
end
