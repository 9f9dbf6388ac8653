#!lua flags=allow-oom
-- Says what does not fit together about one job, seen from one place, and puts one of these things right when asked to.
-- Seen and repaired in one script: what is being created or moved right now is seen before it or after it, never halfway.
-- KEYS   1 record  2 events  3 commands  4 dead  5 stats  6 wake  7 expiry  8 jobs in flight  9 outbox
--        10 the job's callbacks  11 waiting callbacks  12 the list of an owner that names the job
-- ARGV   1 job id  2 place: entry, record, visit (the job is named in `expiry`), count (it counts as
--        in flight), listing (in the list of key 12), callback (it has some), or waiting (one of them counts as waiting)
--        3 entry id, of an entry; name of the callback, of one that counts  4 kind to repair, or empty to look only  5 most time to wait (ms)
--        6 how long a lease must have run out before a job without an entry is taken from its run (ms)
--        7 owner whose list, or count, names the job
-- Reply  the kinds found, before the repair: none when all is well, as it is for a repair that was done already
-- uses: clock log entry in_flight waiting callback outbox
local job, place, now, found = ARGV[1], ARGV[2], now_ms(), {}
local function find(kind, mend)
  found[#found + 1] = kind
  if ARGV[4] == kind then mend() end
end

local r = redis.pcall('HMGET', KEYS[1], 'state', 'entry', 'due_at', 'updated_at', 'owner',
  'callback_url', 'epoch', 'finished_at')
if r.err then r = {'no hash'} end
local state = r[1]
local is_over = state == 'completed' or state == 'failed' or state == 'cancelled'
local is_waiting = state == 'queued' or state == 'retrying'

local function look_at_entry()
  if not stands(ARGV[3]) then return end
  local function drop() acknowledge(ARGV[3]) end
  if not state then return find('entry_without_record', drop) end
  if is_over then return find('entry_of_ended_job', drop) end
  -- While the record's own entry is nowhere, this one is all that leads to the job.
  if r[2] ~= ARGV[3] and stands(r[2]) then find('entry_superseded', drop) end
end

-- Tells whether somebody will be given the entry: it was not read yet, or is in somebody's hands (`ready` and `parked` among
-- them). One that was read and is in nobody's, after an XACK or XGROUP DELCONSUMER by hand, is never given again.
local function is_within_reach(entry)
  if not stands(entry) then return false end
  local pending = redis.pcall('XPENDING', KEYS[3], 'processors', entry, entry, 1)
  if pending.err or #pending == 1 then return true end  -- an error: there is no group, and the next one reads all
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[3])) do
    local group = {}
    for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
    if group['name'] == 'processors' then
      return #redis.call('XRANGE', KEYS[3], '(' .. group['last-delivered-id'], entry, 'COUNT', 1) == 1
    end
  end
end

-- A new entry says nothing of where the job stands: state and due_at decide at the claim, which parks what comes too
-- early, and counts the crash of a run whose lease has run out.
local function enter()
  if stands(r[2]) then acknowledge(r[2]) end
  redis.call('HSET', KEYS[1], 'entry', redis.call('XADD', KEYS[3], '*', 'job', job))
  redis.pcall('SPUBLISH', KEYS[6], '')
end

local function look_at_record()
  if not state then return end
  local due_at, updated_at = whole(r[3]), whole(r[4])
  local is_known = is_waiting or state == 'processing'
  if not is_over and not (is_known and due_at and updated_at) then
    -- Found by a claim, it is buried. What another version of Waybill means by a state of its own is left alone.
    if is_known and not is_within_reach(r[2]) then return find('record_without_entry', enter) end
    return find('record_unreadable', function() end)
  end
  -- A run under way needs no entry: it ends the job, or leaves it without one, which is then seen.
  local has_run = state == 'processing' and due_at + tonumber(ARGV[6]) > now
  if not is_over and not has_run and not is_within_reach(r[2]) then find('record_without_entry', enter) end
  if not is_over and not redis.call('ZSCORE', KEYS[8], member_of(r[5], job)) then
    find('record_not_counted', function() count_in(r[5], job) end)
  end
  if not redis.call('ZSCORE', KEYS[7], job) then
    find('record_without_visit', function()
      local visit_at = is_over and now or (is_waiting and updated_at or now) + tonumber(ARGV[5])
      redis.call('ZADD', KEYS[7], visit_at, job)
    end)
  end
end

-- Settled callbacks are kept for KEPT_MS: of an end that is not so long ago there must be one, whatever became of it. A
-- processor of an older version writes none.
local function look_for_callback()
  local finished_at = whole(r[8])
  if not is_over or not r[6] or not whole(r[7]) or not finished_at or finished_at + KEPT_MS <= now then return end
  if redis.pcall('HEXISTS', KEYS[10], r[7]) ~= 1 then
    find('record_without_callback', function()
      local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
      post({job = job, message = last and last[2][2] or '', now = now}, r[7])
    end)
  end
end

local function look_at_member(key, kind)
  if not state and redis.call('ZSCORE', key, job) then find(kind, function() redis.call('ZREM', key, job) end) end
end

local function look_at_count()
  if not redis.call('ZSCORE', KEYS[8], member_of(ARGV[7], job)) then return end
  local is_right = state and not is_over and (r[5] or '') == ARGV[7]
  if not is_right and state ~= 'no hash' then find('count_without_job', function() count_out(ARGV[7], job) end) end
end

-- What waits and stands nowhere would never be told, and what has nothing to tell would be waited for without end.
local function look_at_callbacks()
  if type(redis.pcall('HLEN', KEYS[10])) ~= 'number' then return end  -- somebody else's key
  local names, gone = {}, {}
  for _, name in ipairs(callbacks_of()) do
    local has_message = redis.call('HEXISTS', KEYS[10], name) == 1
    table.insert(has_message and names or gone, name)
  end
  if #gone > 0 then
    find('callback_without_message', function()
      for _, name in ipairs(gone) do leave_outbox(job, name) end
      forget_callbacks(names, gone)
      if #names == 0 then redis.call('DEL', KEYS[10]) else keep_until_all_are_settled() end
    end)
  end
  for _, name in ipairs(names) do
    local due_at = redis.call('ZSCORE', KEYS[9], callback_id(job, name))
    local is_counted = is_for_admins(name) or redis.call('ZSCORE', KEYS[11], member_of_callback(job, name))
    if not is_settled(name) and not due_at then
      find('callback_without_entry', function() enter_outbox(job, name, now) end)
    elseif not is_settled(name) and not is_counted then
      find('callback_not_counted', function() enter_outbox(job, name, due_at) end)
    end
  end
end

-- A member is right for what stands in the outbox, or belongs there, under the name by which the delivery takes it away.
local function look_at_waiting()
  local id = callback_id(job, ARGV[3])
  local member = waiting_member(ARGV[7], id)
  if not redis.call('ZSCORE', KEYS[11], member) then return end
  local is_over_with = redis.pcall('HEXISTS', KEYS[10], ARGV[3]) ~= 1 or is_settled(ARGV[3])
  local waits = redis.call('ZSCORE', KEYS[9], id) or not is_over_with
  if not waits or member ~= member_of_callback(job, ARGV[3]) then
    find('count_without_callback', function() redis.call('ZREM', KEYS[11], member) end)
  end
end

if place == 'entry' then look_at_entry() end
if place == 'record' then look_at_record() look_for_callback() end
if place == 'visit' then look_at_member(KEYS[7], 'visit_without_record') end
if place == 'listing' then look_at_member(KEYS[12], 'listing_without_record') end
if place == 'count' then look_at_count() end
if place == 'callback' then look_at_callbacks() end
if place == 'waiting' then look_at_waiting() end
return found
