#!lua
-- Creates a job: its first event, its command entry, its record.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 the owner's jobs
-- ARGV   1 job id  2 queued message (JSON)  3 whether idle processors must be woken (1) or wait in a blocking read (0)
--        4 most time to wait (ms)  5 how long the owner's list lives on (ms)  6… record fields, flat
-- Reply  OK, unfinished jobs in this partition, mean service time (ms, or empty)  |  EXISTS, the same  (this id: success)
-- uses: clock log
local function reply(word)
  return {word, redis.call('XLEN', KEYS[3]), redis.call('HGET', KEYS[5], 'service_ms') or ''}
end

if redis.call('EXISTS', KEYS[1]) == 1 then return reply('EXISTS') end

local now = now_ms()
local id = append(0, 1, ARGV[2])
local entry = redis.call('XADD', KEYS[3], '*', 'job', ARGV[1])
redis.call('HSET', KEYS[1], 'state', 'queued', 'epoch', 0, 'seq', 1, 'entry', entry, 'attempt', 0, 'failures', 0,
  'crashes', 0, 'due_at', 0, 'created_at', now, 'updated_at', now, unpack(ARGV, 6))
redis.call('ZADD', KEYS[7], now + tonumber(ARGV[4]), ARGV[1])
redis.call('ZADD', KEYS[8], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[8], '-inf', now - ARGV[5])
redis.call('PEXPIRE', KEYS[8], ARGV[5])
publish(id, ARGV[2])
if ARGV[3] == '1' then redis.pcall('SPUBLISH', KEYS[6], '') end
return reply('OK')
