-- What is kept of a job's callbacks, in one hash of all of them: `owner` and `callback_url` are the job's, `ends` names them
-- in order, each by the epoch of its end (and `_admin` for the admins' one), `<name>` has what else a delivery needs, and
-- these say where it stands:
--   <name>:state   delivering, delivered, dead or superseded; none while it waits
--   <name>:token   of the last try, by which its deliverer is known      <name>:ended    number of tries that have ended
--   <name>:tries   the last of them (JSON)                               <name>:asked    token of the last wish to tell it again
--   <name>:letter  the dead letter that it tells of (JSON)               <name>:dead_id  its place among the dead callbacks
--   <name>:unread  when a deliverer first could not read it (ms)         <name>:asked_at when that wish came (ms)
--   <name>:lost    deliverers that died with it since a try has ended      <name>:since  when it was first taken, since it was asked for (ms)
-- `deleted` stands there when the job was deleted.
-- It is kept for as long as one of them waits, and for KEPT_MS after.
local KEPT_MS = 259200000
local PARTS = {'', ':state', ':token', ':ended', ':tries', ':asked', ':asked_at', ':letter', ':dead_id', ':unread',
  ':lost', ':since'}

-- Tells whether a reply says that somebody else's key stands in a callback's place.
local function is_foreign(reply)
  return type(reply) == 'table' and reply.err ~= nil and string.find(reply.err, 'WRONGTYPE') ~= nil
end

local function callback_id(job, name)
  return 'msg_' .. string.gsub(job, '-', '') .. '_' .. name
end

-- Gives the names of the job's callbacks, oldest first.
local function callbacks_of()
  local names = {}
  for name in string.gmatch(redis.call('HGET', KEYS[10], 'ends') or '', '%S+') do names[#names + 1] = name end
  return names
end

local function is_settled(name)
  local state = redis.call('HGET', KEYS[10], name .. ':state')
  return state == 'delivered' or state == 'dead' or state == 'superseded'
end

local function keep_until_all_are_settled()
  for _, name in ipairs(callbacks_of()) do
    if not is_settled(name) then return redis.call('PERSIST', KEYS[10]) end
  end
  redis.call('PEXPIRE', KEYS[10], KEPT_MS)
end

local function is_for_admins(name) return string.find(name, '_admin', 1, true) ~= nil end

local function member_of_callback(job, name)
  local owner = redis.pcall('HGET', KEYS[10], 'owner')
  return waiting_member(type(owner) == 'string' and owner or '', callback_id(job, name))
end

-- Puts a callback into the outbox, or moves it there; it counts for its owner from then on. Of an older version's callbacks,
-- which do not count, each try makes one that does.
local function enter_outbox(job, name, due_at, owner)
  local id = callback_id(job, name)
  redis.call('ZADD', KEYS[9], due_at, id)
  if not is_for_admins(name) then redis.call('ZADD', KEYS[11], 0, owner and waiting_member(owner, id) or member_of_callback(job, name)) end
end

local function leave_outbox(job, name)
  redis.call('ZREM', KEYS[9], callback_id(job, name))
  if not is_for_admins(name) then redis.call('ZREM', KEYS[11], member_of_callback(job, name)) end
end

-- Takes all that is kept of some callbacks away. The names are those of `ends` that stay, and those that go.
local function forget_callbacks(names, gone)
  for _, name in ipairs(gone) do
    for _, part in ipairs(PARTS) do redis.call('HDEL', KEYS[10], name .. part) end
  end
  redis.call('HSET', KEYS[10], 'ends', table.concat(names, ' '))
end

-- Gives what the deliverer of this token may do: nil when the try is still its own, else the word that turns it away:
--   DONE   this very try has been ended already, the success of a repeated call; or nothing is known of it any more, as
--          of settled ones when many have come after them
--   STALE  somebody else has it by now, or it was asked for anew
local function refusal_of(name, token)
  local r = redis.call('HMGET', KEYS[10], name .. ':token', name .. ':state', name)
  if not r[3] then return 'DONE' end
  if r[1] ~= token then return 'STALE' end
  if r[2] ~= 'delivering' then return 'DONE' end
end

local function end_try(name, tries)
  redis.call('HINCRBY', KEYS[10], name .. ':ended', 1)
  redis.call('HSET', KEYS[10], name .. ':tries', tries)
  redis.call('HDEL', KEYS[10], name .. ':lost')
end

-- Tells whether the same people are to be told of a later end.
local function has_successor(name)
  local is_later = false
  for _, other in ipairs(callbacks_of()) do
    if is_later and is_for_admins(other) == is_for_admins(name) then return true end
    is_later = is_later or other == name
  end
  return false
end

local function supersede(job, name)
  redis.call('HSET', KEYS[10], name .. ':state', 'superseded')
  leave_outbox(job, name)
end

-- Lets a callback be due then, unless a later end is told in its place: who has heard of that must not hear of this one after.
local function wait_until(job, name, due_at)
  if has_successor(name) then
    supersede(job, name)
    return keep_until_all_are_settled()
  end
  redis.call('HDEL', KEYS[10], name .. ':state')
  enter_outbox(job, name, due_at)
end
