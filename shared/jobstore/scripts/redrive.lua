#!lua
-- Begins a failed job anew under its own id: its log goes on, everything else begins again.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 epoch under which the job failed  3 queued message (JSON)
--        4 whether idle processors must be woken (1) or wait in a blocking read (0)
--        5 most time to wait (ms)  6 token of this redrive
--        7 most jobs of the owner that may be in flight in this partition, or empty
--        8 most unfinished jobs in this partition, or empty
--        9 most callbacks of the owner that may wait in this partition, or empty
-- Reply  OK: also to the repetition of this very redrive  |  ALREADY: another one has begun it anew from this failure
--        NOT_FAILED  |  GONE
--        IN_FLIGHT, BACKLOG or CALLBACKS, unfinished jobs in this partition, those of them that are the owner's: nothing
--        was changed, there are as many as there may be
--        EXPIRING: its object is being deleted; when that is done (expire.lua: TOMBSTONE), it can be redriven
-- uses: clock letter line log in_flight waiting callback
local r = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'seq', 'dead_id', 'deleted_at', 'standing',
  'object_key', 'expires_at', 'owner', 'redriven_by')
if not r[1] or r[5] then return {'GONE'} end

local epoch = tonumber(r[2])
-- Nothing but a redrive raises the epoch of a failed job: a higher one means that it was redriven from this failure.
if epoch > tonumber(ARGV[2]) then return {r[10] == ARGV[6] and 'OK' or 'ALREADY'} end
if epoch < tonumber(ARGV[2]) or r[1] ~= 'failed' then return {'NOT_FAILED'} end
-- The janitor may be on its way to the store with the key that the next run would leave its archive under.
if r[7] and tonumber(r[8] or 0) <= now_ms() then return {'EXPIRING'} end

local unfinished, in_flight = redis.call('XLEN', KEYS[3]), in_flight_of(r[9])
local waiting = ARGV[9] ~= '' and waiting_of(r[9]) or nil
if ARGV[7] ~= '' and in_flight >= tonumber(ARGV[7]) then return {'IN_FLIGHT', unfinished, in_flight} end
if ARGV[8] ~= '' and unfinished >= tonumber(ARGV[8]) then return {'BACKLOG', unfinished, in_flight} end
if waiting and waiting >= tonumber(ARGV[9]) then
  -- One that waits is superseded by that of the next end: there will be as many as there are.
  local is_one_more = not redis.call('ZSCORE', KEYS[11], waiting_member(r[9], callback_id(ARGV[1], r[2])))
  if is_one_more then return {'CALLBACKS', unfinished, in_flight} end
end

epoch = epoch + 1
local seq = tonumber(r[3]) + 1
local id = append(epoch, seq, ARGV[3])
local entry = redis.call('XADD', KEYS[3], '*', 'job', ARGV[1])
-- What was promised at the creation was not promised for a second life.
local size_bytes = string.match(r[6] or '', '^%[%d+,%d+,(%d+)')
local place = draw_place(redis.call('HGET', KEYS[5], 'line_end'), math.floor((size_bytes or 0) / 1000))
local standing = '[' .. place .. ',' .. (size_bytes or 'null') .. ',null]'
redis.call('HSET', KEYS[1], 'state', 'queued', 'standing', standing, 'epoch', epoch, 'seq', seq, 'entry', entry, 'attempt', 0,
  'failures', 0, 'crashes', 0, 'due_at', 0, 'updated_at', now_ms(), 'redriven_at', now_ms(),
  'redriven_by', ARGV[6])
redis.call('HDEL', KEYS[1], 'token', 'processor', 'error', 'permanent', 'object_key', 'bundle', 'started_at',
  'finished_at', 'expires_at', 'dead_id', 'cancel_requested', 'run_at')
redis.call('ZADD', KEYS[7], now_ms() + tonumber(ARGV[5]), ARGV[1])
count_in(r[9], ARGV[1])
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
if r[4] then drop_letter(r[4]) end
publish(id, ARGV[3])
if ARGV[4] == '1' then redis.pcall('SPUBLISH', KEYS[6], '') end
return {'OK'}
