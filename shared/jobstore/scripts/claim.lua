#!lua flags=allow-oom
-- Gives one run of a job to a processor.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 entry id  3 token  4 processor  5 lease (ms)  6 most crashes
--        7 started message, with %d for the attempt  8 terminal message of a burial  9 its error (JSON)
--        10 retention after the end (ms)  11 whether admins are told of a burial (1)
--        12… record fields of a burial, flat
-- Reply  OK, record fields, 1 when a lease had run out (else 0), the processor whose lease that was  |  NOT_DUE, ms to wait
--        BURIED, attempts, processor of the last one  |  DAMAGED: record or log cannot be read, and nothing was changed
--        CANCELLED: somebody wanted the job to end, and this claim has ended it
--        GONE: there is nothing to run, and an entry without an unfinished job has been removed
-- uses: clock line log entry letter in_flight waiting callback outbox terminal
local LONGEST_WAIT_MS = 86400000  -- no lease and no delay is longer
local r = redis.pcall('HMGET', KEYS[1], 'state', 'entry', 'epoch', 'seq', 'attempt', 'failures', 'crashes', 'due_at',
  'token', 'processor', 'is_takeover', 'cancel_requested', 'standing')
if r.err then return {'DAMAGED'} end
local state, entry = r[1], ARGV[2]
if state == 'failed' and r[9] == ARGV[3] and (tonumber(r[7]) or 0) >= tonumber(ARGV[6]) then
  return {'BURIED', tonumber(r[5]), r[10] or ''}
end
if state == 'cancelled' and r[9] == ARGV[3] then return {'CANCELLED'} end
local is_over = not state or state == 'completed' or state == 'failed' or state == 'cancelled'
-- A job whose own entry is nowhere would be lost if this one went: what its record says of it is wrong.
if not is_over and r[2] ~= entry and not stands(r[2]) then return {'DAMAGED'} end
if is_over or r[2] ~= entry then
  acknowledge(entry)
  return {'GONE'}
end
if r[9] == ARGV[3] then
  if state == 'processing' then return {'OK', redis.call('HGETALL', KEYS[1]), r[11] and 1 or 0, r[11] or ''} end
  -- A duplicate that comes after its own run was retried or released: it must not start a run that nobody knows of.
  return {'GONE'}
end

for i = 3, 8 do
  if not whole(r[i]) then return {'DAMAGED'} end
end
local now, lease_ms = now_ms(), tonumber(ARGV[5])
if tonumber(r[8]) > now + LONGEST_WAIT_MS then return {'DAMAGED'} end
local wait_ms = tonumber(r[8]) - now
if wait_ms > 0 then
  hold(entry, state == 'processing' and r[10] or 'parked', wait_ms, lease_ms)
  return {'NOT_DUE', wait_ms}
end

local run = {
  epoch = tonumber(r[3]) + 1, seq = tonumber(r[4]), entry = entry, attempt = tonumber(r[5]), failures = tonumber(r[6]),
  crashes = tonumber(r[7]), processor = r[10],
}
if not takes(run.epoch, run.seq + 1) then return {'DAMAGED'} end
if state == 'processing' then
  -- The lease of the last run ran out: here, and only here, a crash is counted.
  run.crashes = run.crashes + 1
end
if r[12] then
  terminate(run, {
    job = ARGV[1], state = 'cancelled', message = r[12], now = now, retention_ms = tonumber(ARGV[10]),
    fields = {'crashes', run.crashes, 'token', ARGV[3], unpack(ARGV, 12)}, reason = '',
  })
  return {'CANCELLED'}
end
if state == 'processing' then
  if run.crashes >= tonumber(ARGV[6]) then
    terminate(run, {
      job = ARGV[1], state = 'failed', message = ARGV[8], now = now, retention_ms = tonumber(ARGV[10]),
      -- The token of the claim that buried it, so that its repetition is known. No run has it: nobody passes the fence.
      fields = {'crashes', run.crashes, 'token', ARGV[3], 'error', ARGV[9], unpack(ARGV, 12)}, reason = 'crashes', error = ARGV[9],
      tells_admins = ARGV[11] == '1',
    })
    return {'BURIED', run.attempt, run.processor or ''}
  end
end

local message = string.format(ARGV[7], run.attempt + 1)
local id = append(run.epoch, run.seq + 1, message)
redis.call('HSET', KEYS[1], 'state', 'processing', 'epoch', run.epoch, 'token', ARGV[3], 'seq', run.seq + 1,
  'attempt', run.attempt + 1, 'crashes', run.crashes, 'due_at', now + lease_ms, 'processor', ARGV[4], 'updated_at', now,
  'run_at', now)
redis.call('HSETNX', KEYS[1], 'started_at', now)
redis.call('HDEL', KEYS[1], 'error', 'is_takeover')
-- Kept for the repetition of this claim, which must be told the same.
if state == 'processing' then redis.call('HSET', KEYS[1], 'is_takeover', run.processor or '') end
own(entry, ARGV[4])
take_place(r[13])
publish(id, message)
return {'OK', redis.call('HGETALL', KEYS[1]), state == 'processing' and 1 or 0, state == 'processing' and run.processor or ''}
