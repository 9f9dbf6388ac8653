#!lua flags=allow-oom
-- Makes the callback of a job's last end due at once; its schedule begins anew, its id and the tries that are kept stay.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks  12 dead callbacks
-- ARGV   1 job id  2 token of this wish  3 now (ms), or empty for Redis' own clock  4 least time between two wishes (ms)
--        5 most callbacks of its owner that may wait in this partition, or empty
--        6 admins: what they were told, and not the owner; else empty
-- Reply  OK: it is due  |  UNCHANGED: it was asked for shortly before, or is being told right now
--        NOT_ENDED  |  NO_CALLBACK
--        GONE: there is nothing left to tell, or the job is deleted
--        FULL: it does not wait, and as many wait as may
-- uses: clock waiting callback outbox
local job, now = ARGV[1], ARGV[3] ~= '' and tonumber(ARGV[3]) or now_ms()

local function last_of(for_admins)
  local last
  for _, name in ipairs(callbacks_of()) do if is_for_admins(name) == for_admins then last = name end end
  return last
end

-- Gives the name of the last end that the owner may be told of, or the word that refuses it. The callbacks of a job
-- outlive its record, and then say by themselves whose they are.
local function last_end()
  local r = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'callback_url', 'deleted_at')
  if r[4] or redis.call('HEXISTS', KEYS[10], 'deleted') == 1 then return nil, 'GONE' end
  if not r[1] then return last_of(false), 'GONE' end
  if not r[3] then return nil, 'NO_CALLBACK' end
  if r[1] ~= 'completed' and r[1] ~= 'failed' and r[1] ~= 'cancelled' then return nil, 'NOT_ENDED' end

  -- Nothing but a redrive raises the epoch of a job that has ended: the record's is that of its last end. A processor of an
  -- older version has written no callback.
  if redis.call('HEXISTS', KEYS[10], r[2]) == 0 then
    local event = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    post({job = job, message = event and event[2][2] or '', now = now}, r[2])
  end
  return r[2]
end

-- The same for admins: what they are told is a dead letter, and that was written whatever has become of the job since.
local function last_letter()
  return last_of(true), redis.call('EXISTS', KEYS[1]) == 1 and 'NO_CALLBACK' or 'GONE'
end

local last = ARGV[6] == 'admins' and last_letter or last_end
local name, refusal = last()
if not name then return {refusal} end

local c = redis.call('HMGET', KEYS[10], name .. ':asked', name .. ':asked_at', name .. ':dead_id', name .. ':state', name)
if not c[5] then return {'GONE'} end
if c[1] == ARGV[2] then return {'OK'} end
if now - (c[2] or '-inf') < tonumber(ARGV[4]) or c[4] == 'delivering' then return {'UNCHANGED'} end

local is_bounded = ARGV[5] ~= '' and is_settled(name)
if is_bounded and waiting_of(redis.call('HGET', KEYS[10], 'owner')) >= tonumber(ARGV[5]) then return {'FULL'} end

if c[3] then redis.call('XDEL', KEYS[12], c[3]) end
redis.call('HDEL', KEYS[10], name .. ':state', name .. ':token', name .. ':ended', name .. ':dead_id', name .. ':unread',
  name .. ':lost', name .. ':since')
redis.call('HSET', KEYS[10], name .. ':asked', ARGV[2], name .. ':asked_at', now)
redis.call('PERSIST', KEYS[10])
enter_outbox(job, name, now)
redis.pcall('SPUBLISH', KEYS[9], '')
return {'OK'}
