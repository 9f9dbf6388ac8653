#!lua
-- Creates a job: its first event, its command entry, its record. Or refuses to, and leaves nothing.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks  12 the owner's jobs
-- ARGV   1 job id  2 queued message (JSON)  3 whether idle processors must be woken (1) or wait in a blocking read (0)
--        4 most time to wait (ms)  5 how long the owner's list lives on (ms)  6 size of its files (kB, 0 when not known)
--        7 what its standing in line holds besides the place (JSON, without brackets)  8 owner
--        9 most jobs of the owner that may be in flight in this partition, or empty
--        10 most unfinished jobs in this partition, or empty
--        11 most callbacks of the owner that may wait in this partition, or empty, as without a callback
--        12… record fields, flat
-- Reply  OK, unfinished jobs in this partition, those of them that are the owner's, the job's place in line, the furthest
--        one that was taken ([ticket,kB] each), callbacks of the owner that wait here, where they are bounded
--        EXISTS, the same  (this id: success, whatever the bounds)
--        IN_FLIGHT, BACKLOG or CALLBACKS, the first two: there are as many as there may be
-- uses: clock line log in_flight waiting
local line = redis.call('HMGET', KEYS[5], 'line_end', 'line_taken')
local unfinished, in_flight = redis.call('XLEN', KEYS[3]), in_flight_of(ARGV[8])
local waiting = ARGV[11] ~= '' and waiting_of(ARGV[8]) or nil
local function reply(word, standing)
  local place = '[' .. write_place(read_place(standing)) .. ']'
  return {word, unfinished, in_flight, place, line[2] or NO_PLACE, waiting}
end

if redis.call('EXISTS', KEYS[1]) == 1 then return reply('EXISTS', redis.call('HGET', KEYS[1], 'standing')) end
if ARGV[9] ~= '' and in_flight >= tonumber(ARGV[9]) then return {'IN_FLIGHT', unfinished, in_flight} end
if ARGV[10] ~= '' and unfinished >= tonumber(ARGV[10]) then return {'BACKLOG', unfinished, in_flight} end
if waiting and waiting >= tonumber(ARGV[11]) then return {'CALLBACKS', unfinished, in_flight} end

local now = now_ms()
local id = append(0, 1, ARGV[2])
local entry = redis.call('XADD', KEYS[3], '*', 'job', ARGV[1])
local standing = '[' .. draw_place(line[1], tonumber(ARGV[6])) .. ',' .. ARGV[7] .. ']'
redis.call('HSET', KEYS[1], 'state', 'queued', 'epoch', 0, 'seq', 1, 'entry', entry, 'attempt', 0, 'failures', 0,
  'crashes', 0, 'due_at', 0, 'created_at', now, 'updated_at', now, 'standing', standing,
  unpack(ARGV, 12))
count_in(ARGV[8], ARGV[1])
redis.call('ZADD', KEYS[7], now + tonumber(ARGV[4]), ARGV[1])
redis.call('ZADD', KEYS[12], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[12], '-inf', now - ARGV[5])
redis.call('PEXPIRE', KEYS[12], ARGV[5])
publish(id, ARGV[2])
if ARGV[3] == '1' then redis.pcall('SPUBLISH', KEYS[6], '') end
unfinished, in_flight = unfinished + 1, in_flight + 1
return reply('OK', standing)
