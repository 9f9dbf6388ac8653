#!lua flags=allow-oom
-- Takes a job one step further towards oblivion, when its time has come.
--   waits too long ─▶ failed (cancelled, when somebody wanted it to end)
--   ended ─▶ (upload aborted) log trimmed ─▶ (object deleted) tombstone ─▶ forgotten
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks  12 the owner's jobs
-- ARGV   1 job id  2 now (ms), or empty for Redis' own clock  3 terminal message (JSON)  4 its error (JSON)
--        5 retention after the end (ms)  6 expires_at of the end (ms)  7 how long a tombstone stands (ms)
--        8 key of the object that was deleted from the store, or empty  9 most time to wait (ms)
--        10 checkpoint whose upload was aborted, or empty  11 whether admins are told of a dead letter (1)
-- Reply  NOT_YET  |  EXPIRED  |  CANCELLED  |  TRIMMED  |  TOMBSTONE  |  FORGOTTEN
--        ABORT, checkpoint  |  DELETE, object key: call again when its upload is aborted, or the object deleted
-- uses: clock log entry letter in_flight waiting callback outbox terminal
local KEPT_EVENTS = 3
local now = ARGV[2] ~= '' and tonumber(ARGV[2]) or now_ms()
local due_at = tonumber(redis.call('ZSCORE', KEYS[7], ARGV[1]) or nil)
if due_at and due_at > now then
  -- The repetition of a step whose reply was lost. That a job was ended here must not go unsaid.
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  return {last and last[2][2] == ARGV[3] and 'EXPIRED' or 'NOT_YET'}
end

local r = redis.call('HMGET', KEYS[1], 'state', 'entry', 'epoch', 'seq', 'attempt', 'failures', 'crashes', 'processor',
  'expires_at', 'object_key', 'updated_at', 'cancel_requested', 'checkpoint')
local state = r[1]
local function forget()
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('ZREM', KEYS[7], ARGV[1])
  redis.call('ZREM', KEYS[12], ARGV[1])
  return {'FORGOTTEN'}
end
if not state then return forget() end

-- Each wait counts for itself: a job that runs waits from now on at the earliest, one that was handed back since then.
if state == 'processing' then
  redis.call('ZADD', KEYS[7], now + tonumber(ARGV[9]), ARGV[1])
  return {'NOT_YET'}
end
if state == 'queued' or state == 'retrying' then
  local waits_until = tonumber(r[11]) + tonumber(ARGV[9])
  if now < waits_until and not r[12] then
    redis.call('ZADD', KEYS[7], waits_until, ARGV[1])
    return {'NOT_YET'}
  end
  local run = {
    epoch = tonumber(r[3]) + 1, seq = tonumber(r[4]), entry = r[2], attempt = tonumber(r[5]), failures = tonumber(r[6]),
    crashes = tonumber(r[7]), processor = r[8],
  }
  if r[12] then
    terminate(run, {
      job = ARGV[1], state = 'cancelled', message = r[12], now = now, retention_ms = tonumber(ARGV[5]),
      fields = {'expires_at', ARGV[6]}, reason = '',
    })
    return {'CANCELLED'}
  end
  terminate(run, {
    job = ARGV[1], state = 'failed', message = ARGV[3], now = now, retention_ms = tonumber(ARGV[5]),
    fields = {'expires_at', ARGV[6], 'error', ARGV[4]}, reason = 'expired', error = ARGV[4],
    tells_admins = ARGV[11] == '1',
  })
  return {'EXPIRED'}
end

local expires_at = tonumber(r[9] or nil) or now
redis.call('XTRIM', KEYS[2], 'MAXLEN', KEPT_EVENTS)
-- Its own processor has aborted the upload, if it could; nobody is left who would go on with it.
if r[13] and r[13] ~= ARGV[10] then return {'ABORT', r[13]} end
redis.call('HDEL', KEYS[1], 'checkpoint')
if now < expires_at then
  redis.call('ZADD', KEYS[7], expires_at, ARGV[1])
  return {'TRIMMED'}
end
if r[10] and r[10] ~= ARGV[8] then return {'DELETE', r[10]} end

local ends_at = expires_at + tonumber(ARGV[7])
if now >= ends_at then return forget() end
redis.call('HDEL', KEYS[1], 'object_key')
redis.call('ZADD', KEYS[7], ends_at, ARGV[1])
return {'TOMBSTONE'}
