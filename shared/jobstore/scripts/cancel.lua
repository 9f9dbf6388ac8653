#!lua flags=allow-oom
-- Ends a job at once when nobody works on it, else asks its run to end; a deleted job is over for everybody at once.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 cancelled message (JSON)  3 retention after the end (ms)  4 expires_at (ms)
--        5 whether the job is deleted too (1)
-- Reply  CANCELLED  |  REQUESTED  |  TERMINAL, state, object key or empty  |  GONE
-- uses: clock log entry letter in_flight waiting callback outbox terminal
local r = redis.call('HMGET', KEYS[1], 'state', 'entry', 'epoch', 'seq', 'attempt', 'failures', 'crashes', 'processor',
  'object_key')
local state, now, is_deleted = r[1], now_ms(), ARGV[5] == '1'
if not state then return {'GONE'} end

if state == 'completed' or state == 'failed' or state == 'cancelled' then
  if is_deleted and redis.call('HSETNX', KEYS[1], 'deleted_at', now) == 1 then
    redis.call('HSET', KEYS[1], 'expires_at', now, 'updated_at', now)
    redis.call('ZADD', KEYS[7], now, ARGV[1])
    -- What is kept of its callbacks outlives the record, and must know that nobody may have them told again.
    if #callbacks_of() > 0 then redis.call('HSET', KEYS[10], 'deleted', 1) end
  end
  return {'TERMINAL', state, r[9] or ''}
end
if state == 'processing' then
  redis.call('HSETNX', KEYS[1], 'cancel_requested', ARGV[2])
  if is_deleted then redis.call('HSETNX', KEYS[1], 'deleted_at', now) end
  return {'REQUESTED'}
end

local fields = {'expires_at', ARGV[4]}
if is_deleted then fields = {'expires_at', ARGV[4], 'deleted_at', now} end
terminate({
  epoch = tonumber(r[3]) + 1, seq = tonumber(r[4]), entry = r[2], attempt = tonumber(r[5]), failures = tonumber(r[6]),
  crashes = tonumber(r[7]), processor = r[8],
}, {
  job = ARGV[1], state = 'cancelled', message = ARGV[2], now = now, retention_ms = tonumber(ARGV[3]), fields = fields,
  reason = '',
})
return {'CANCELLED'}
