-- A job's place in the line of its partition, counted and not searched for: how many jobs have joined up to it, itself
-- included, and how many kB their files have together. `line_end` is the last place that was drawn, `line_taken` the
-- furthest one that a run has begun from: what stands between is before the job, however long the line is. A place is
-- one text, `[ticket,kB]`: a field each, and a call each, would cost more than reading it.
local NO_PLACE = '[0,0]'

local function read_place(text)
  local ticket, kb = string.match(text or NO_PLACE, '^%[(%d+),(%d+)')
  return tonumber(ticket or 0), tonumber(kb or 0)
end

local function write_place(ticket, kb)
  return string.format('%.0f,%.0f', ticket, kb)
end

-- Draws the place of a job of so many kB behind `line_end`; gives it without its brackets.
local function draw_place(line_end, kb)
  local ticket, line_kb = read_place(line_end)
  local place = write_place(ticket + 1, line_kb + kb)
  redis.call('HSET', KEYS[5], 'line_end', '[' .. place .. ']')
  return place
end

-- The line has moved up to this place, unless it is further already.
local function take_place(standing)
  local ticket, kb = read_place(standing)
  if ticket > read_place(redis.call('HGET', KEYS[5], 'line_taken')) then
    redis.call('HSET', KEYS[5], 'line_taken', '[' .. write_place(ticket, kb) .. ']')
  end
end
