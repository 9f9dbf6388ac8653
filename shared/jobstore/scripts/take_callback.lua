#!lua flags=allow-oom
-- Gives one try of a callback to a deliverer. One whose deliverer has died is due again when its lease has run out.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks
-- ARGV   1 job id  2 name of the callback  3 token  4 lease (ms)  5 now (ms), or empty for Redis' own clock
-- Reply  OK, number of this try, what it carries (JSON), its dead letter (JSON) or empty, tries so far (JSON) or empty,
--        owner of the job, URL or empty, deliverers that died with it since a try has ended, time since the first take (ms)
--        NOT_DUE: somebody else was first  |  GONE: there is nothing to tell by it, and the outbox has it no more
-- uses: clock waiting callback
local name, id = ARGV[2], callback_id(ARGV[1], ARGV[2])
local r = redis.pcall('HMGET', KEYS[10], name, name .. ':letter', name .. ':tries', name .. ':token', name .. ':state',
  name .. ':ended', 'owner', 'callback_url', name .. ':lost', name .. ':since')
if r.err and not is_foreign(r) then return r end
if r.err or not r[1] or is_settled(name) then
  leave_outbox(ARGV[1], name)
  return {'GONE'}
end

-- A try counts when it has ended: a deliverer that dies, for whatever reason, has tried nothing that would be known. That
-- it died is counted, for a callback of which all die.
local now = ARGV[5] ~= '' and tonumber(ARGV[5]) or now_ms()
local lost, since = tonumber(r[9] or nil) or 0, tonumber(r[10] or nil) or now
local function reply()
  return {'OK', (tonumber(r[6]) or 0) + 1, r[1], r[2] or '', r[3] or '', r[7] or '', r[8] or '', lost, math.max(0, now - since)}
end
if r[4] == ARGV[3] then return r[5] == 'delivering' and reply() or {'NOT_DUE'} end

local due_at = tonumber(redis.call('ZSCORE', KEYS[9], id) or nil)
if not due_at or due_at > now then return {'NOT_DUE'} end
if has_successor(name) then  -- it waits in spite of that when its deliverer has died
  supersede(ARGV[1], name)
  keep_until_all_are_settled()
  return {'GONE'}
end

enter_outbox(ARGV[1], name, now + tonumber(ARGV[4]))
if r[5] == 'delivering' then lost = redis.call('HINCRBY', KEYS[10], name .. ':lost', 1) end
redis.call('HSET', KEYS[10], name .. ':state', 'delivering', name .. ':token', ARGV[3], name .. ':since', since)
return reply()
