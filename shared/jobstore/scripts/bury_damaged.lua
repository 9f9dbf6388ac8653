#!lua flags=allow-oom
-- Ends a job whose record or log no claim can read: what is wrong in them is set right, so that people can read the end.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 entry id  3 terminal message (JSON)  4 retention after the end (ms)  5 error (JSON)
--        6 whether admins are told of it (1)
--        7 number of record fields that nobody can read, then their names, then fields to set, flat
-- Reply  OK  |  GONE: the entry is not there (any more)
-- uses: clock log entry letter in_flight waiting callback outbox terminal
if not stands(ARGV[2]) then
  -- The repetition of a burial whose reply was lost finds the error that it has written.
  local error = redis.pcall('HGET', KEYS[1], 'error')
  return {error == ARGV[5] and 'OK' or 'GONE'}
end

local epoch, seq = last_id()
if not epoch then
  redis.call('DEL', KEYS[2])
  epoch, seq = 0, 0
end
if type(redis.pcall('HLEN', KEYS[1])) == 'table' then redis.call('DEL', KEYS[1]) end  -- an error: no hash
local unreadable = tonumber(ARGV[7])
for i = 8, 7 + unreadable do redis.call('HDEL', KEYS[1], ARGV[i]) end

local function number(field)
  return whole(redis.call('HGET', KEYS[1], field)) or 0
end
local run = {
  epoch = math.max(number('epoch'), epoch) + 1, seq = math.max(number('seq'), seq), entry = ARGV[2],
  attempt = number('attempt'), failures = number('failures'), crashes = number('crashes'),
  processor = redis.call('HGET', KEYS[1], 'processor'),
}
terminate(run, {
  job = ARGV[1], state = 'failed', message = ARGV[3], now = now_ms(), retention_ms = tonumber(ARGV[4]),
  fields = {'entry', ARGV[2], 'attempt', run.attempt, 'failures', run.failures, 'crashes', run.crashes, 'due_at', 0,
    'error', ARGV[5], unpack(ARGV, 8 + unreadable)},
  reason = 'damaged', error = ARGV[5], tells_admins = ARGV[6] == '1',
})
return {'OK'}
