-- The one tail of all terminal paths: event, record, ack + delete, dead letter, expiry. Nothing comes after it.
--   run     what fence() gives, with the epoch under which the end is written
--   ending  state, message, now, retention_ms, fields (record fields, flat); reason and error for a dead letter
local TRIM_AFTER_MS = 900000

local function bury(run, ending)
  local events = {}
  for i, entry in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 10)) do
    table.insert(events, 1, entry[2][2])
  end
  return write_letter('job', ending.job, 'owner', redis.call('HGET', KEYS[1], 'owner') or '', 'epoch', run.epoch,
    'reason', ending.reason, 'error', ending.error, 'attempts', run.attempt, 'failures', run.failures,
    'crashes', run.crashes, 'processor', run.processor or '', 'events', '[' .. table.concat(events, ',') .. ']')
end

local function count(run, ending)
  redis.call('HINCRBY', KEYS[5], ending.state, 1)
  if ending.state == 'completed' and run.started_at then
    local mean = tonumber(redis.call('HGET', KEYS[5], 'service_ms'))
    local took = ending.now - run.started_at
    -- An exponential average: the last ten jobs or so count.
    redis.call('HSET', KEYS[5], 'service_ms', math.floor(mean and mean + (took - mean) * 0.1 or took))
  end
end

local function terminate(run, ending)
  local seq = run.seq + 1
  local id = append(run.epoch, seq, ending.message)
  redis.call('HSET', KEYS[1], 'state', ending.state, 'epoch', run.epoch, 'seq', seq, 'updated_at', ending.now,
    'finished_at', ending.now, unpack(ending.fields))
  acknowledge(run.entry)
  if ending.reason ~= '' then
    redis.call('HSET', KEYS[1], 'dead_id', bury(run, ending))
  end
  count(run, ending)
  redis.call('HDEL', KEYS[1], 'cancel_requested')
  -- The upload that it tells of has become the archive. Of any other end the janitor still has to see to it (expire.lua).
  if ending.state == 'completed' then redis.call('HDEL', KEYS[1], 'checkpoint') end
  -- What a job that is tried again had last is not why it ended, when it was cancelled.
  if ending.state == 'cancelled' then redis.call('HDEL', KEYS[1], 'error') end
  local visit_at = ending.now + TRIM_AFTER_MS
  if redis.call('HEXISTS', KEYS[1], 'deleted_at') == 1 then
    -- Deleted while it ran: nobody may see it any more, and the archive that it made in spite of that goes at once.
    redis.call('HSET', KEYS[1], 'expires_at', ending.now)
    visit_at = ending.now
  end
  redis.call('ZADD', KEYS[7], visit_at, ending.job)
  redis.call('PEXPIRE', KEYS[1], ending.retention_ms)
  redis.call('PEXPIRE', KEYS[2], ending.retention_ms)
  publish(id, ending.message)
end
