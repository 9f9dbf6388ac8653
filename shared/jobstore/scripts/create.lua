#!lua
-- Creates a job: its first event, its command entry, its record.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 the owner's jobs
-- ARGV   1 job id  2 queued message (JSON)  3 whether idle processors must be woken (1) or wait in a blocking read (0)
--        4 most time to wait (ms)  5 how long the owner's list lives on (ms)  6 size of its files (kB, 0 when not known)
--        7 what its standing in line holds besides the place (JSON, without brackets)  8… record fields, flat
-- Reply  OK, unfinished jobs in this partition, the job's place in line, the furthest one that was taken ([ticket,kB] each)
--        EXISTS, the same  (this id: success)
-- uses: clock line log
local line = redis.call('HMGET', KEYS[5], 'line_end', 'line_taken')
local function reply(word, standing)
  local place = '[' .. write_place(read_place(standing)) .. ']'
  return {word, redis.call('XLEN', KEYS[3]), place, line[2] or NO_PLACE}
end

if redis.call('EXISTS', KEYS[1]) == 1 then return reply('EXISTS', redis.call('HGET', KEYS[1], 'standing')) end

local now = now_ms()
local id = append(0, 1, ARGV[2])
local entry = redis.call('XADD', KEYS[3], '*', 'job', ARGV[1])
local standing = '[' .. draw_place(line[1], tonumber(ARGV[6])) .. ',' .. ARGV[7] .. ']'
redis.call('HSET', KEYS[1], 'state', 'queued', 'epoch', 0, 'seq', 1, 'entry', entry, 'attempt', 0, 'failures', 0,
  'crashes', 0, 'due_at', 0, 'created_at', now, 'updated_at', now, 'standing', standing,
  unpack(ARGV, 8))
redis.call('ZADD', KEYS[7], now + tonumber(ARGV[4]), ARGV[1])
redis.call('ZADD', KEYS[8], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[8], '-inf', now - ARGV[5])
redis.call('PEXPIRE', KEYS[8], ARGV[5])
publish(id, ARGV[2])
if ARGV[3] == '1' then redis.pcall('SPUBLISH', KEYS[6], '') end
return reply('OK', standing)
