-- The one tail of all terminal paths: event, record, ack + delete, dead letter, count, callbacks, expiry. Nothing comes
-- after it.
--   run     what fence() gives, with the epoch under which the end is written
--   ending  state, message, now, retention_ms, fields (record fields, flat); reason and error for a dead letter,
--           tells_admins: whether a callback tells admins of it
local TRIM_AFTER_MS = 900000

local function bury(run, ending)
  local events = {}
  for i, entry in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 10)) do
    table.insert(events, 1, entry[2][2])
  end
  local letter = {'job', ending.job, 'owner', redis.call('HGET', KEYS[1], 'owner') or '', 'epoch', run.epoch,
    'reason', ending.reason, 'error', ending.error, 'attempts', run.attempt, 'failures', run.failures,
    'crashes', run.crashes, 'processor', run.processor or '', 'events', '[' .. table.concat(events, ',') .. ']'}
  local id, number = write_letter(unpack(letter))
  redis.call('HSET', KEYS[1], 'dead_id', id)
  return {'dead_id', id, 'number', number, unpack(letter)}
end

-- What estimates are made from (shared/jobstore/service_times.py), in one text: numbers of jobs, then their averages, each
-- moved towards what a job shows by the same weight, so that the last twenty or so count. The first ones count alike: a
-- single slow start is soon outweighed. Of the job the run alone counts that has completed it: waiting is no work.
local NEWEST_WEIGHT = 0.05
local function learn_from(run, now)
  local known = {}
  for number in string.gmatch(redis.call('HGET', KEYS[5], 'learned') or '', '%S+') do known[#known + 1] = tonumber(number) end
  for i = #known + 1, 10 do known[i] = 0 end
  local weight
  local function meet(jobs) known[jobs] = known[jobs] + 1; weight = math.max(NEWEST_WEIGHT, 1 / known[jobs]) end
  local function move(mean, value) known[mean] = known[mean] + (value - known[mean]) * weight end

  local r = redis.call('HMGET', KEYS[1], 'created_at', 'standing')
  local size_bytes, promised_ms = string.match(r[2] or '', '^%[%d+,%d+,(%w+),(%w+)%]$')
  local mb, promised, took = tonumber(size_bytes), tonumber(promised_ms), math.max(1, now - run.run_at)
  meet(1)
  move(4, took)
  if mb then
    -- Moments of a line through (size, time), each job weighted so that relative errors count alike above a second.
    mb = mb / 1000000
    local one = 1 / math.max(took, 1000) ^ 2
    meet(2)
    move(5, one); move(6, one * mb); move(7, one * took); move(8, one * mb * mb); move(9, one * mb * took)
  end
  if promised and tonumber(r[1]) then
    -- How far promises are off, as a logarithm: 0.69 is twice, or half. Below a second nobody minds.
    meet(3)
    move(10, math.min(5, math.abs(math.log(math.max(1000, now - r[1]) / math.max(1000, promised)))))
  end
  redis.call('HSET', KEYS[5], 'learned', string.format('%.0f %.0f %.0f %.9g %.9g %.9g %.9g %.9g %.9g %.9g', unpack(known)))
end

local function count(run, ending)
  redis.call('HINCRBY', KEYS[5], ending.state, 1)
  if ending.state == 'completed' and run.run_at then learn_from(run, ending.now) end
end

local function terminate(run, ending)
  local seq = run.seq + 1
  local id = append(run.epoch, seq, ending.message)
  redis.call('HSET', KEYS[1], 'state', ending.state, 'epoch', run.epoch, 'seq', seq, 'updated_at', ending.now,
    'finished_at', ending.now, unpack(ending.fields))
  acknowledge(run.entry)
  local told = redis.call('HMGET', KEYS[1], 'owner', 'callback_url')
  count_out(told[1], ending.job)
  local letter = ending.reason ~= '' and bury(run, ending)
  count(run, ending)
  redis.call('HDEL', KEYS[1], 'cancel_requested')
  -- The upload that it tells of has become the archive, or its processor gives it up (settlement.py). Of any other end the janitor still has to see to it (expire.lua).
  if ending.state == 'completed' then redis.call('HDEL', KEYS[1], 'checkpoint') end
  -- What a job that is tried again had last is not why it ended, when it was cancelled.
  if ending.state == 'cancelled' then redis.call('HDEL', KEYS[1], 'error') end
  local visit_at = ending.now + TRIM_AFTER_MS
  if redis.call('HEXISTS', KEYS[1], 'deleted_at') == 1 then
    -- Deleted while it ran: nobody may see it any more, and the archive that it made in spite of that goes at once.
    redis.call('HSET', KEYS[1], 'expires_at', ending.now)
    visit_at = ending.now
  end
  if told[2] then post(ending, tostring(run.epoch)) end
  if letter and ending.tells_admins then post(ending, run.epoch .. '_admin', letter) end
  redis.call('ZADD', KEYS[7], visit_at, ending.job)
  redis.call('PEXPIRE', KEYS[1], ending.retention_ms)
  redis.call('PEXPIRE', KEYS[2], ending.retention_ms)
  publish(id, ending.message)
end
