-- What is kept of a job's callbacks, in one hash of all of them: `owner` and `callback_url` are the job's, `ends` names them
-- in order, each by the epoch of its end (and `_admin` for the admins' one), `<name>` has what else a delivery needs, and
-- these say where it stands:
--   <name>:state   delivering, delivered or dead; none while it waits
--   <name>:token   of the last try, by which its deliverer is known      <name>:ended    number of tries that have ended
--   <name>:tries   the last of them (JSON)                               <name>:asked    token of the last wish to tell it again
--   <name>:letter  the dead letter that it tells of (JSON)               <name>:dead_id  its place among the dead callbacks
--   <name>:unread  when a deliverer first could not read it (ms)
-- It is kept for as long as one of them waits, and for KEPT_MS after.
local KEPT_MS = 259200000
local MOST_SETTLED = 20
local PARTS = {'', ':state', ':token', ':ended', ':tries', ':asked', ':letter', ':dead_id', ':unread'}

-- Tells whether a reply says that somebody else's key stands in a callback's place.
local function is_foreign(reply)
  return type(reply) == 'table' and reply.err ~= nil and string.find(reply.err, 'WRONGTYPE') ~= nil
end

local function callback_id(job, name)
  return 'msg_' .. string.gsub(job, '-', '') .. '_' .. name
end

-- Gives the names of the job's callbacks, oldest first, and how many there are.
local function callbacks_of()
  local names = {}
  for name in string.gmatch(redis.call('HGET', KEYS[10], 'ends') or '', '%S+') do names[#names + 1] = name end
  return names
end

local function is_settled(name)
  local state = redis.call('HGET', KEYS[10], name .. ':state')
  return state == 'delivered' or state == 'dead'
end

local function keep_until_all_are_settled()
  for _, name in ipairs(callbacks_of()) do
    if not is_settled(name) then return redis.call('PERSIST', KEYS[10]) end
  end
  redis.call('PEXPIRE', KEYS[10], KEPT_MS)
end

-- Gives what the deliverer of this token may do: nil when the try is still its own, else the word that turns it away:
--   DONE   this very try has been ended already: the success of a repeated call
--   STALE  somebody else has it by now, or it was asked for anew
local function refusal_of(name, token)
  local r = redis.call('HMGET', KEYS[10], name .. ':token', name .. ':state')
  if r[1] ~= token then return 'STALE' end
  if r[2] ~= 'delivering' then return 'DONE' end
end

local function end_try(name, tries)
  redis.call('HINCRBY', KEYS[10], name .. ':ended', 1)
  redis.call('HSET', KEYS[10], name .. ':tries', tries)
end
