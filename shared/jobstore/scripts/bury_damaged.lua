#!lua flags=allow-oom
-- Ends a job whose record or log no claim can read: what is wrong in them is set right as far as a dead letter needs it.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry
-- ARGV   1 job id  2 entry id  3 terminal message (JSON)  4 retention after the end (ms)  5 error (JSON)
--        6… record fields, flat
-- Reply  OK  |  GONE: the entry is not there (any more)
-- uses: clock log entry letter terminal
if #redis.call('XRANGE', KEYS[3], ARGV[2], ARGV[2]) == 0 then return {'GONE'} end

for key, kind in pairs({[KEYS[1]] = 'hash', [KEYS[2]] = 'stream'}) do
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end
local epoch, seq = 0, 0
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then epoch, seq = string.match(info[i + 1], '^(%d+)-(%d+)$') end
  end
end

local function number(field)
  return tonumber(redis.call('HGET', KEYS[1], field) or nil) or 0
end
local run = {
  epoch = math.max(number('epoch'), tonumber(epoch)) + 1, seq = math.max(number('seq'), tonumber(seq)), entry = ARGV[2],
  attempt = number('attempt'), failures = number('failures'), crashes = number('crashes'),
  processor = redis.call('HGET', KEYS[1], 'processor'),
}
terminate(run, {
  job = ARGV[1], state = 'failed', message = ARGV[3], now = now_ms(), retention_ms = tonumber(ARGV[4]),
  fields = {'attempt', run.attempt, 'failures', run.failures, 'crashes', run.crashes, 'due_at', 0, 'error', ARGV[5],
    unpack(ARGV, 6)},
  reason = 'damaged', error = ARGV[5],
})
return {'OK'}
